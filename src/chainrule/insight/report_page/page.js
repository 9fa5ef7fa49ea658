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

// Each drawing is one stop of the Tab key; arrows go from mark to mark.
const MARKS = "[role=img][tabindex]";
const drawings = document.querySelectorAll("svg[role=group]");
const shown = (mark) => mark.checkVisibility ? mark.checkVisibility() : mark.getClientRects().length > 0;
const marksOf = (drawing) => [...drawing.querySelectorAll(MARKS)].filter(shown);

function offer(drawing, mark) {
  for (const other of drawing.querySelectorAll('[tabindex="0"]')) other.setAttribute("tabindex", "-1");
  if (mark) mark.setAttribute("tabindex", "0");
}

function target(drawing, marks, here, key) {
  const columns = Number(drawing.dataset.columns) || 1;
  const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  if (key === "Home") return marks[0];
  if (key === "End") return marks[marks.length - 1];
  return key in moves ? marks[here + moves[key]] : undefined;
}

function tell(mark) {
  const readout = mark.closest("figure")?.querySelector(".readout");
  if (readout) readout.textContent = mark.getAttribute("aria-label");
}

for (const drawing of drawings) {
  offer(drawing, marksOf(drawing)[0]);
  drawing.addEventListener("keydown", (event) => {
    const marks = marksOf(drawing);
    const next = target(drawing, marks, marks.indexOf(event.target), event.key);
    if (!next) return;
    event.preventDefault();
    offer(drawing, next);
    next.focus();
  });
  for (const kind of ["pointerover", "focusin"]) {
    drawing.addEventListener(kind, (event) => {
      const mark = event.target.closest(MARKS);
      if (mark) tell(mark);
    });
  }
  drawing.addEventListener("pointerleave", () => {
    const focused = drawing.querySelector(":focus");
    const readout = drawing.closest("figure")?.querySelector(".readout");
    if (focused) tell(focused);
    else if (readout) readout.textContent = "";
  });
}

// What is hidden cannot be reached: when another view is chosen, its first mark is.
document.addEventListener("change", (event) => {
  for (const drawing of event.target.closest("figure")?.querySelectorAll("svg[role=group]") ?? []) {
    offer(drawing, marksOf(drawing)[0]);
  }
});
