"use strict";
(function () {
  var said = document.getElementById("said");
  function say(text) { said.textContent = text; }

  function open(target) {
    for (var at = target; at; at = at.parentElement) {
      if (at.tagName === "DETAILS") { at.open = true; }
    }
  }
  function follow() {
    var target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (target) { open(target); target.scrollIntoView(); }
  }
  addEventListener("hashchange", follow);
  follow();

  function copied(button) {
    button.textContent = "Copied";
    say("Copied");
    setTimeout(function () { button.textContent = "Copy"; }, 1600);
  }
  function select(code) {
    var range = document.createRange();
    range.selectNodeContents(code);
    var chosen = getSelection();
    chosen.removeAllRanges();
    chosen.addRange(range);
  }
  function copyOld(button, code) {
    select(code);
    if (document.execCommand("copy")) { copied(button); } else { say("Press Ctrl+C to copy"); }
  }
  document.querySelectorAll("button.copy").forEach(function (button) {
    button.addEventListener("click", function () {
      var code = button.parentElement.querySelector("pre");
      if (!navigator.clipboard) { copyOld(button, code); return; }
      navigator.clipboard.writeText(code.textContent).then(
        function () { copied(button); },
        function () { copyOld(button, code); }
      );
    });
  });

  var findings = Array.prototype.slice.call(document.querySelectorAll("article.finding"));
  var at = -1;
  function go(step) {
    if (!findings.length) { return; }
    at = Math.max(0, Math.min(findings.length - 1, at + step));
    open(findings[at]);
    findings[at].focus({ preventScroll: true });
    findings[at].scrollIntoView({ block: "start" });
    say("Finding " + (at + 1) + " of " + findings.length);
  }
  addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey) { return; }
    if (event.key === "j") { go(1); }
    if (event.key === "k") { go(-1); }
    if (event.key === "o") { unfold(); }
  });
  function unfold() {
    document.querySelectorAll("details").forEach(function (part) { part.open = true; });
  }
  // What nothing was found in is printed by its name alone.
  addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (part) {
      if (!part.closest("#quiet")) { part.open = true; }
    });
  });
})();
