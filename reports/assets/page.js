(function () {
  "use strict";
  var table = document.getElementById("findings-table");
  if (!table) return;
  var body = table.tBodies[0], rows = Array.prototype.slice.call(body.rows), tools = document.querySelector(".tools");
  var names = ["search", "severity", "state", "policy", "source"], size = 50, page = 0;
  tools.hidden = false;
  function field(name) { return document.getElementById("by-" + name); }
  function wanted(row) {
    return names.every(function (name) {
      var value = field(name).value.toLowerCase();
      if (!value) return true;
      return name === "search" ? row.textContent.toLowerCase().indexOf(value) >= 0 : row.dataset[name] === value;
    });
  }
  function show() {
    var hits = rows.filter(wanted), pages = Math.max(1, Math.ceil(hits.length / size));
    page = Math.min(page, pages - 1);
    rows.forEach(function (row) { row.hidden = true; });
    hits.slice(page * size, page * size + size).forEach(function (row) { row.hidden = false; });
    document.getElementById("shown").textContent = hits.length + " of " + rows.length + " findings, page " + (page + 1) + " of " + pages;
    var state = new URLSearchParams();
    names.forEach(function (name) { if (field(name).value) state.set(name, field(name).value); });
    if (history.replaceState) history.replaceState(null, "", state.toString() ? "#?" + state : location.pathname + location.search);
  }
  function toTarget() {
    if (location.hash.indexOf("#?") === 0) {
      new URLSearchParams(location.hash.slice(2)).forEach(function (value, name) { if (names.indexOf(name) >= 0) field(name).value = value; });
      return show();
    }
    var row = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (row && row.dataset && row.dataset.severity) {
      names.forEach(function (name) { field(name).value = ""; });
      page = Math.floor(rows.indexOf(row) / size);
      var hash = location.hash;
      show();
      history.replaceState(null, "", hash);
      row.querySelector("details").open = true;
      row.scrollIntoView();
    }
  }
  names.forEach(function (name) { field(name).addEventListener("input", function () { page = 0; show(); }); });
  document.getElementById("before").addEventListener("click", function () { page = Math.max(0, page - 1); show(); });
  document.getElementById("after").addEventListener("click", function () { page += 1; show(); });
  Array.prototype.forEach.call(table.tHead.querySelectorAll("button"), function (button, column) {
    button.addEventListener("click", function () {
      var head = button.parentNode, up = head.getAttribute("aria-sort") !== "ascending";
      Array.prototype.forEach.call(table.tHead.rows[0].cells, function (cell) { cell.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      rows.sort(function (a, b) {
        var x = a.cells[column].dataset.key || a.cells[column].textContent, y = b.cells[column].dataset.key || b.cells[column].textContent;
        return (up ? 1 : -1) * x.localeCompare(y, undefined, { numeric: true });
      });
      rows.forEach(function (row) { body.appendChild(row); });
      page = 0;
      show();
    });
  });
  window.addEventListener("hashchange", toTarget);
  window.addEventListener("beforeprint", function () { rows.forEach(function (row) { row.hidden = !wanted(row); row.querySelector("details").open = true; }); });
  if (location.hash) toTarget(); else show();
  if (location.hash && !document.getElementById("shown").textContent) show();
})();
