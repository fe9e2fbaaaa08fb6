"use strict";
// Chips show one status alone; a second press shows all again.
document.querySelectorAll(".chips button").forEach(button => button.addEventListener("click", () => {
  const on = button.getAttribute("aria-pressed") !== "true";
  document.querySelectorAll(".chips button").forEach(b => b.setAttribute("aria-pressed", "false"));
  button.setAttribute("aria-pressed", String(on));
  document.querySelectorAll("details.claim").forEach(claim => {
    claim.hidden = on && claim.dataset.status !== button.dataset.status;
  });
  document.querySelectorAll("section.paper").forEach(section => {
    section.hidden = !section.querySelector("details.claim:not([hidden])");
  });
}));
// A link to a claim opens it.
function follow() {
  const claim = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (claim && claim.tagName === "DETAILS") { claim.open = true; claim.scrollIntoView(); }
}
window.addEventListener("hashchange", follow);
follow();
// Reading a curve off: the utility at the report under the pointer, and what it gains over the truth.
const shown = x => (Math.abs(x) < 5e-10 ? 0 : x).toLocaleString("en", { maximumSignificantDigits: 5 });
document.querySelectorAll("figure.utility").forEach(figure => {
  const data = JSON.parse(figure.querySelector("script").textContent);
  const svg = figure.querySelector("svg"), out = figure.querySelector(".readout");
  const cross = svg.querySelector(".cross"), dot = svg.querySelector(".dot"), hint = out.textContent;
  const box = JSON.parse(svg.dataset.box);
  const move = event => {
    const rect = svg.getBoundingClientRect();
    const x = (event.clientX - rect.left) * box.width / rect.width;
    const report = box.low + (x - box.left) / (box.right - box.left) * (box.high - box.low);
    let k = 0;
    data.reports.forEach((r, i) => { if (Math.abs(r - report) < Math.abs(data.reports[k] - report)) k = i; });
    const px = box.left + (data.reports[k] - box.low) / (box.high - box.low) * (box.right - box.left);
    const py = box.bottom - (data.utilities[k] - box.least) / (box.most - box.least) * (box.bottom - box.top);
    cross.setAttribute("x1", px); cross.setAttribute("x2", px);
    dot.setAttribute("cx", px); dot.setAttribute("cy", py);
    cross.style.visibility = dot.style.visibility = "visible";
    const gain = data.utilities[k] - data.at_truth;
    out.textContent = `report ${shown(data.reports[k])}: utility ${shown(data.utilities[k])}` +
      (Math.abs(gain) < 5e-10 ? ", as much as the truth" :
        gain > 0 ? `, ${shown(gain)} more than the truth` : `, ${shown(-gain)} less than the truth`);
  };
  svg.addEventListener("pointermove", move);
  svg.addEventListener("pointerdown", move);
  svg.addEventListener("pointerleave", () => {
    cross.style.visibility = dot.style.visibility = "hidden"; out.textContent = hint;
  });
});
