/* The switch of light and dark, and the search. A classic script, because modules do not load from file://. */
(function () {
  "use strict";
  var root = document.documentElement;
  root.classList.add("script");

  function stored(key, value) {
    try {
      if (value === undefined) return localStorage.getItem(key);
      localStorage.setItem(key, value);
    } catch (refused) { /* some browsers keep nothing for file:// */ }
    return null;
  }

  var theme = stored("theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;

  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }

  function switchTheme() {
    root.dataset.theme = isDark() ? "light" : "dark";
    stored("theme", root.dataset.theme);
  }

  /* Lower case without diacritics, so that "hop thu" finds "hộp thư". */
  function plain(text) {
    return text.toLowerCase().normalize("NFD").replace(/[\u0300-\u036f]/g, "").replace(/\u0111/g, "d");
  }

  function wordsOf(text) {
    return plain(text).split(/\s+/).map(function (word) {
      return word.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}=]+$/gu, "");
    }).filter(function (word) { return word.length > 0; });
  }

  /* How well an entry answers the words: its name counts most, then its title, then its text. */
  function score(entry, words) {
    var sum = 0, hits = 0;
    words.forEach(function (word) {
      var points = 0;
      if (entry.name === word) points = 100;
      else if (entry.name.indexOf(word) === 0) points = 30;
      else if ((" " + entry.title).indexOf(" " + word) >= 0) points = 20;
      else if (entry.name.indexOf(word) >= 0) points = 14;
      else if (entry.title.indexOf(word) >= 0) points = 10;
      else if ((" " + entry.text).indexOf(" " + word) >= 0) points = 6;
      else if (entry.text.indexOf(word) >= 0) points = 3;
      if (points > 0) hits++;
      sum += points;
    });
    return { hits: hits, sum: sum };
  }

  function find(entries, query) {
    var words = wordsOf(query), whole = plain(query.trim());
    if (words.length === 0) return [];
    var found = [];
    entries.forEach(function (entry) {
      var s = score(entry, words);
      if (s.hits === 0 || s.hits * 2 < words.length) return;
      if (words.length > 1 && (entry.title.indexOf(whole) >= 0 || entry.text.indexOf(whole) >= 0)) s.sum += 60;
      if (entry.raw.indexOf(query.trim()) >= 0) s.sum += 15;
      found.push({ entry: entry, hits: s.hits, rank: s.hits * 40 / words.length + s.sum / words.length + entry.bonus });
    });
    /* What holds fewer of the words than the best does is noise; of a whole line of a log some may differ. */
    var most = found.reduce(function (n, f) { return Math.max(n, f.hits); }, 0) - Math.floor(words.length / 4);
    found = found.filter(function (f) { return f.hits >= most; });
    found.sort(function (a, b) { return b.rank - a.rank; });
    return found.slice(0, 12).map(function (f) { return f.entry; });
  }

  function start() {
    var button = document.getElementById("theme");
    if (button) button.addEventListener("click", switchTheme);
    var input = document.getElementById("q"), list = document.getElementById("found"), entries = null, shown = [], at = -1;
    if (!input || !list) return;

    function prepare() {
      entries = (window.sallyportIndex || []).map(function (row) {
        return { kind: row[0], label: row[1], head: row[2], url: row[3], raw: row[4], name: plain(row[1]),
                 title: plain(row[2]), text: plain(row[4]), bonus: row[5] };
      });
    }

    /* The index is fetched when somebody begins to search, and not before. */
    var asked = false;
    function load() {
      if (asked) return;
      asked = true;
      var script = document.createElement("script");
      script.src = input.dataset.index;
      script.onload = function () { prepare(); show(); };
      document.head.appendChild(script);
    }

    function mark(i) {
      at = i;
      Array.prototype.forEach.call(list.querySelectorAll("[role=option]"), function (item, n) {
        item.setAttribute("aria-selected", String(n === at));
        if (n === at) {
          input.setAttribute("aria-activedescendant", item.id);
          item.scrollIntoView({ block: "nearest" });
        }
      });
      if (at < 0) input.removeAttribute("aria-activedescendant");
    }

    function close() {
      list.hidden = true;
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
      at = -1;
    }

    function go(entry) { location.href = input.dataset.home + entry.url; }

    function add(entry, i) {
      var item = document.createElement("li"), name = document.createElement("b"), small = document.createElement("small");
      item.id = "found-" + i;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", "false");
      name.textContent = entry.label;
      small.textContent = entry.kind;
      item.appendChild(name);
      item.appendChild(document.createTextNode(" " + entry.head));
      item.appendChild(small);
      item.addEventListener("mousedown", function (event) { event.preventDefault(); go(entry); });
      list.appendChild(item);
    }

    function show() {
      if (!entries || document.activeElement !== input) return;
      if (input.value.trim() === "") { close(); return; }
      shown = find(entries, input.value);
      list.textContent = "";
      shown.forEach(add);
      if (shown.length === 0) {
        var none = document.createElement("li");
        none.className = "none";
        none.textContent = input.dataset.none;
        list.appendChild(none);
      }
      list.hidden = false;
      input.setAttribute("aria-expanded", "true");
      mark(shown.length > 0 ? 0 : -1);
    }

    input.addEventListener("focus", function () { load(); show(); });
    input.addEventListener("input", function () { load(); show(); });
    input.addEventListener("blur", close);
    input.addEventListener("keydown", function (event) {
      if (event.key === "Escape") { close(); return; }
      if (list.hidden || shown.length === 0) return;
      if (event.key === "ArrowDown") mark((at + 1) % shown.length);
      else if (event.key === "ArrowUp") mark((at + shown.length - 1) % shown.length);
      else return;
      event.preventDefault();
    });
    input.form.addEventListener("submit", function (event) {
      event.preventDefault();
      if (shown[at]) go(shown[at]);
    });
    document.addEventListener("keydown", function (event) {
      var typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
      if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        input.focus();
      }
    });
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
