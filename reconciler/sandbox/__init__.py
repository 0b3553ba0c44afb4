"""The embedded company: loopback LDAP, Graph and Google servers over one in-memory estate."""
