"use strict";

// Light and dark: as the system has it, until somebody chooses.
const root = document.documentElement;
const theme = document.getElementById("theme");
const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
function tellTheme() {
  theme.textContent = dark() ? "Light" : "Dark";
  theme.setAttribute("aria-label", dark() ? "Show the page in light colours" : "Show the page in dark colours");
}
theme.hidden = false;
theme.addEventListener("click", () => {
  root.dataset.theme = dark() ? "light" : "dark";
  tellTheme();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tellTheme);
tellTheme();

// Each drawing is one stop of the Tab key; arrows go from mark to mark. Everything is listened for on the document,
// as a drawing that listens itself would be a stop of its own.
const DRAWING = "svg[role=group]";
const MARK = "svg[role=group] [role=img][tabindex]";
const marksOf = (drawing) => [...drawing.querySelectorAll("[role=img][tabindex]")].filter((one) => one.getClientRects().length);

function offer(drawing, mark) {
  for (const other of drawing.querySelectorAll('[tabindex="0"]')) other.setAttribute("tabindex", "-1");
  if (mark) mark.setAttribute("tabindex", "0");
}

function nextMark(drawing, mark, key) {
  const marks = marksOf(drawing);
  const columns = Number(drawing.dataset.columns) || 1;
  const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  if (key === "Home") return marks[0];
  if (key === "End") return marks[marks.length - 1];
  return key in moves ? marks[marks.indexOf(mark) + moves[key]] : undefined;
}

function tell(figure, mark) {
  const readout = figure?.querySelector(".readout");
  if (readout) readout.textContent = mark ? mark.getAttribute("aria-label") : "";
}

document.querySelectorAll(DRAWING).forEach((drawing) => offer(drawing, marksOf(drawing)[0]));

document.addEventListener("keydown", (event) => {
  const mark = event.target.closest(MARK);
  const next = mark && nextMark(mark.closest(DRAWING), mark, event.key);
  if (!next) return;
  event.preventDefault();
  offer(mark.closest(DRAWING), next);
  next.focus();
});

for (const kind of ["focusin", "pointerover"]) {
  document.addEventListener(kind, (event) => {
    const mark = event.target.closest(MARK);
    if (mark) tell(mark.closest("figure"), mark);
  });
}

document.addEventListener("pointerout", (event) => {
  const figure = event.target.closest("figure");
  if (figure && !figure.contains(event.relatedTarget)) tell(figure, figure.querySelector("svg :focus"));
});

// What is hidden cannot be reached: when another view is chosen, its first mark can.
document.addEventListener("change", (event) => {
  event.target.closest("figure")?.querySelectorAll(DRAWING).forEach((drawing) => offer(drawing, marksOf(drawing)[0]));
});
