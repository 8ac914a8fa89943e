// Small helpers: elements by id, new elements with text, figures, arrow keys in a grid.

/** @template {HTMLElement} T @param {string} id @param {new () => T} type @returns {T} */
function byId(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`no ${type.name} with id ${id}`);
  return found;
}

/** @param {string} tag @param {string} [className] @param {string} [text] @returns {HTMLElement} */
function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

/** @param {number} n */
const figure = (n) => n.toLocaleString("en");

/** @param {number} part @param {number} whole */
const percent = (part, whole) => `${whole ? ((100 * part) / whole).toFixed(0) : "0"}\u202f%`;

/** The checked value of a group of radio buttons. @param {string} name */
function chosen(name) {
  const input = document.querySelector(`input[name="${name}"]:checked`);
  return input instanceof HTMLInputElement ? input.value : "";
}

/** @param {string} name @param {string} value */
function choose(name, value) {
  for (const input of document.getElementsByName(name)) {
    if (input instanceof HTMLInputElement) input.checked = input.value === value;
  }
}

/** @param {string} name @param {() => void} changed */
function whenChosen(name, changed) {
  for (const input of document.getElementsByName(name)) input.addEventListener("change", changed);
}

/**
 * One tab stop for a grid of buttons; arrows, Home and End move within it.
 * @param {HTMLElement} grid @param {string} selector of the buttons
 */
function arrows(grid, selector) {
  const items = () => /** @type {HTMLElement[]} */ ([...grid.querySelectorAll(selector)]);
  grid.addEventListener("keydown", (event) => {
    const all = items();
    const at = all.indexOf(/** @type {HTMLElement} */ (event.target));
    if (at < 0) return;
    const top = (/** @type {HTMLElement} */ e) => e.getBoundingClientRect().top;
    const below = all.findIndex((e) => top(e) > top(all[0]) + 1);
    const columns = below < 0 ? all.length : below;
    /** @type {Record<string, number>} */
    const to = {
      ArrowLeft: at - 1,
      ArrowRight: at + 1,
      ArrowUp: at - columns,
      ArrowDown: at + columns,
      Home: 0,
      End: all.length - 1,
    };
    if (!(event.key in to)) return;
    event.preventDefault();
    all[Math.min(Math.max(to[event.key], 0), all.length - 1)].focus();
  });
  grid.addEventListener("focusin", (event) => {
    const all = items();
    if (all.includes(/** @type {HTMLElement} */ (event.target))) {
      for (const item of all) item.tabIndex = item === event.target ? 0 : -1;
    }
  });
  oneStop(items());
}

/** Make the first item the only one that Tab reaches. @param {HTMLElement[]} items */
function oneStop(items) {
  items.forEach((item, i) => (item.tabIndex = i === 0 ? 0 : -1));
}
