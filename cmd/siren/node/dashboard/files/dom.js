// Small helpers for elements. Text is only ever set as text.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

/** Makes an element with attributes and children, which are elements or texts. */
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Makes an element of a drawing. */
export function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class" || name.includes("-") || element.namespaceURI === SVG || !(name in element)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** Sets a text, and leaves the element alone if it has that already. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Makes the rows of a table those of a list, in its order. Rows that stay are changed in place, so that what is selected or
 * focused in them stays too.
 */
export function setRows(body, rows) {
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, i) => {
    const row = body.rows[i] ?? body.insertRow();
    row.className = cells.quietly ? "quietly" : "";
    cells.forEach((text, j) => {
      const cell = row.cells[j] ?? row.appendChild(make(j === 0 ? "th" : "td", j === 0 ? { scope: "row" } : {}));
      cell.className = cells.numbers?.includes(j) ? "number" : "";
      setText(cell, text);
    });
  });
}

/** Runs a task for a form's submission, with its button off meanwhile. */
export function onSubmit(form, task) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("[type=submit]");
    if (button.disabled) return;
    button.disabled = true;
    try {
      await task();
    } finally {
      const lost = document.activeElement === document.body; // a button that is off loses the focus
      button.disabled = false;
      if (lost) button.focus({ preventScroll: true });
    }
  });
}

/** Tells the outcome of something, to screen readers too. */
export function tell(element, kind, text) {
  element.dataset.kind = kind;
  element.textContent = text;
}
