(function () {
  "use strict";
  var tools = document.querySelector(".tools"), count = document.getElementById("count");
  var rows = Array.prototype.slice.call(document.querySelectorAll(".finding"));
  if (!tools || !rows.length) return;
  var names = ["search", "severity", "state", "policy", "source"], active = ["new", "open", "reopened"], timer = 0;
  var lists = Array.prototype.slice.call(document.querySelectorAll(".findings .list"));
  rows.forEach(function (row, number) { row.dataset.number = number; });
  tools.hidden = false;

  function field(name) { return document.getElementById("by-" + name); }
  function text(row) { return row.words || (row.words = row.textContent.toLowerCase().replace(/\s+/g, " ")); }
  function wanted(row, asked) {
    return names.every(function (name) {
      if (!asked[name]) return true;
      if (name === "state" && asked.state === "active") return active.indexOf(row.dataset.state) >= 0;
      if (name !== "search") return row.dataset[name] === asked[name];
      return asked.words.every(function (word) { return text(row).indexOf(word) >= 0; });
    });
  }

  function show() {
    var asked = {}, hits = 0, any = false;
    names.forEach(function (name) { asked[name] = field(name).value.trim(); any = any || asked[name]; });
    asked.words = asked.search.toLowerCase().split(/\s+/);
    rows.forEach(function (row) { row.hidden = !wanted(row, asked); hits += !row.hidden; });
    lists.forEach(function (list) {
      var group = list.parentNode, empty = !list.querySelector(".finding:not([hidden])");
      group.hidden = empty;
    });
    var said = any ? (hits ? hits + " of " + rows.length + (rows.length === 1 ? " finding" : " findings") : "No finding matches; “Clear” shows all " + rows.length) : rows.length + (rows.length === 1 ? " finding" : " findings") + " on this page, resolved, unverified and waived ones included";
    if (count.textContent !== said) count.textContent = said;
    remember(asked);
  }

  function remember(asked) {
    var state = new URLSearchParams();
    names.forEach(function (name) { if (asked[name]) state.set(name, asked[name]); });
    try { history.replaceState(null, "", String(state) ? "#?" + state : location.pathname + location.search); } catch (refused) { return; }
  }

  function sort() {
    var by = document.getElementById("sort").value;
    function key(row) { return by === "newest" ? -row.dataset.first : by === "first" ? +row.dataset.first : by === "due" ? +row.dataset.due || Infinity : row.dataset[by] || ""; }
    lists.forEach(function (list) {
      var here = Array.prototype.slice.call(list.children);
      here.sort(function (a, b) {
        var x = by ? key(a) : 0, y = by ? key(b) : 0;
        var order = typeof x === "number" ? (x === y ? 0 : x < y ? -1 : 1) : x.localeCompare(y, undefined, { numeric: true });
        return order || a.dataset.number - b.dataset.number;
      });
      here.forEach(function (row) { list.appendChild(row); });
    });
  }

  function ask(given) {
    names.forEach(function (name) { field(name).value = given[name] || ""; });
    show();
  }

  function arrive() {
    var given = {}, row;
    if (location.hash.indexOf("#?") === 0) {
      new URLSearchParams(location.hash.slice(2)).forEach(function (value, name) { given[name] = value; });
      return ask(given);
    }
    row = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (!row || !row.querySelector) return;
    if (row.classList.contains("finding")) { row.hidden = false; row.parentNode.parentNode.hidden = false; }
    var inside = row.tagName === "DETAILS" ? row : row.classList.contains("finding") && row.querySelector("details");
    if (inside) { inside.open = true; row.scrollIntoView(); }
  }

  function copyable(event) {
    var open = event.target.open && event.target.querySelector && event.target.querySelector(".copies");
    if (!open || open.querySelector("button") || !navigator.clipboard) return;
    var button = document.createElement("button"), code = open.querySelector("code");
    button.type = "button"; button.className = "copy"; button.textContent = "Copy id";
    button.addEventListener("click", function () {
      navigator.clipboard.writeText(code.textContent).then(function () { button.textContent = "Copied"; }, function () { getSelection().selectAllChildren(code); });
    });
    open.appendChild(button);
  }

  tools.addEventListener("submit", function (event) { event.preventDefault(); });
  tools.addEventListener("reset", function () { setTimeout(function () { sort(); show(); }); });
  field("search").addEventListener("input", function () { clearTimeout(timer); timer = setTimeout(show, 120); });
  names.slice(1).forEach(function (name) { field(name).addEventListener("change", show); });
  document.getElementById("sort").addEventListener("change", sort);
  document.querySelectorAll(".tiles a").forEach(function (tile) {
    tile.addEventListener("click", function (event) {
      if (!Number(tile.querySelector("b").textContent.replace(/,/g, ""))) return;
      event.preventDefault();
      ask(tile.dataset.severity ? { severity: tile.dataset.severity, state: "active" } : { state: tile.dataset.state });
      document.getElementById("findings").focus();
    });
  });
  document.addEventListener("toggle", copyable, true);
  window.addEventListener("hashchange", arrive);
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll(".g-new .finding:nth-child(-n+40) > details, .g-reopened .finding:nth-child(-n+40) > details, .card > details, .policies > details").forEach(function (one) { one.dataset.was = one.open ? "" : "shut"; one.open = true; });
  });
  window.addEventListener("afterprint", function () {
    document.querySelectorAll("[data-was=shut]").forEach(function (one) { one.open = false; });
  });
  var hash = location.hash;
  if (hash && hash.indexOf("#?") !== 0) { show(); try { history.replaceState(null, "", hash); } catch (refused) { /* a page without an address */ } arrive(); } else if (hash) arrive(); else show();
})();
