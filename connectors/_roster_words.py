"""What systems and people call the columns and statuses of a roster, in seven languages, where no preset knows better.

Words that mean two things are left out: the Spanish "baja" is an illness or an end, and somebody "gekündigt" may still be at work.
"""

from __future__ import annotations

HEADERS = {
    "employee_id": (
        "employee id", "worker id", "employee number", "employee no", "staff number", "personnel number", "associate id", "person id", "emp id",
        "personalnummer", "personal-nr", "mitarbeiternummer", "mitarbeiter-id", "matricule", "numéro de matricule", "número de empleado",
        "código de empleado", "matricola", "personeelsnummer", "medewerkernummer", "matrícula", "número de funcionário", "id",
    ),
    "status": (
        "status", "worker status", "employment status", "active status", "employee status", "active", "beschäftigungsstatus", "statut",
        "estado", "situación", "stato", "situação",
    ),
    "given_name": ("given name", "first name", "legal first name", "preferred first name", "forename", "vorname", "prénom", "nombre", "nome", "voornaam"),
    "family_name": (
        "family name", "last name", "surname", "legal last name", "nachname", "familienname", "nom de famille", "nom", "apellidos", "apellido",
        "cognome", "achternaam", "sobrenome", "apelido",
    ),
    "display_name": ("display name", "full name", "name", "nom complet", "nombre completo", "nome completo", "volledige naam"),
    "work_email": (
        "work email", "email", "e-mail", "email address", "business email", "primary work email", "mail", "e-mail-adresse", "adresse e-mail",
        "courriel", "correo electrónico", "correo", "indirizzo e-mail", "e-mailadres", "endereço de e-mail",
    ),
    "start_date": (
        "start date", "hire date", "original hire date", "date of joining", "eintritt", "eintrittsdatum", "beginn", "date d'entrée",
        "date d'embauche", "fecha de alta", "fecha de ingreso", "data assunzione", "data di assunzione", "datum in dienst", "indiensttreding",
        "data de admissão",
    ),
    "last_day": (
        "last day", "last day of work", "last working day", "last date worked", "leaving date", "letzter arbeitstag", "austritt", "austrittsdatum",
        "date de sortie", "dernier jour", "fecha de baja", "fecha de salida", "data cessazione", "data di cessazione", "datum uit dienst",
        "uitdiensttreding", "data de desligamento", "data de demissão",
    ),
    "end_date": ("end date", "termination date", "contract end date", "vertragsende", "fin de contrat", "fin de contrato", "fine contratto", "einde contract"),
    "worker_type": (
        "worker type", "employee type", "employment type", "beschäftigungsart", "vertragsart", "type de contrat", "tipo de contrato",
        "tipo contratto", "soort contract",
    ),
    "department": (
        "department", "department name", "dept", "org unit", "organization", "abteilung", "département", "departamento", "reparto",
        "dipartimento", "afdeling",
    ),
    "cost_centre": ("cost centre", "cost center", "cost center name", "kostenstelle", "centre de coûts", "centro de coste", "centro di costo", "kostenplaats"),
    "job_code": ("job code",),
    "job_title": (
        "job title", "business title", "title", "position", "role", "stelle", "funktion", "berufsbezeichnung", "poste", "fonction", "puesto",
        "cargo", "mansione", "qualifica", "functie",
    ),
    "manager_id": ("manager id", "manager employee id", "supervisor id", "vorgesetzten-id", "matricule du responsable"),
    "location": ("location", "office", "site", "standort", "lieu", "ubicación", "sede", "standplaats"),
    "company": ("company", "legal entity", "employer", "firma", "gesellschaft", "société", "empresa", "azienda", "bedrijf"),
    "timezone": ("timezone", "time zone", "zeitzone", "fuseau horaire", "zona horaria", "fuso orario", "tijdzone"),
}  # fmt: skip
STATUSES = {
    "active": (
        "active", "a", "employed", "current", "1", "yes", "y", "true", "aktiv", "angestellt", "beschäftigt", "ja", "actif", "en poste", "oui",
        "activo", "activa", "en activo", "attivo", "attiva", "in forza", "actief", "in dienst", "ativo", "ativa",
    ),
    "leave": (
        "leave", "loa", "on leave", "leave of absence", "sabbatical", "parental leave", "beurlaubt", "elternzeit", "mutterschutz", "en congé",
        "congé parental", "congé maternité", "excedencia", "aspettativa", "met verlof", "afastado",
    ),
    "suspended": ("suspended", "freigestellt", "suspendu", "suspendido", "sospeso", "geschorst", "suspenso"),
    "left": (
        "terminated", "inactive", "left", "t", "leaver", "resigned", "retired", "former", "0", "no", "n", "false", "ausgetreten", "ausgeschieden",
        "inaktiv", "nein", "sorti", "parti", "inactif", "inactivo", "cesado", "cessato", "dimesso", "inattivo", "uit dienst", "inactief",
        "desligado", "demitido", "inativo",
    ),
    "prehire": (
        "prehire", "pre-hire", "accepted", "hired", "onboarding", "future hire", "starting", "eintritt geplant", "à venir", "in arrivo",
    ),
}  # fmt: skip
