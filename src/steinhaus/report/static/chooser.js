// The choice of K, which decides the sections shown, and the order of the cards.

/** @param {PageData} data @param {(k: number) => void} changed */
function setUpChooser(data, changed) {
  const chooser = byId("chooser", HTMLElement);
  const sections = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".k-view")]);
  const show = () => {
    const k = chosen("k");
    for (const section of sections) {
      section.hidden = section.dataset.k !== k;
      section.classList.toggle("shown", !section.hidden);
    }
    changed(Number(k));
  };
  chooser.hidden = false;
  choose("k", String(data.shown));
  whenChosen("k", show);
  show();
}

/** @param {number} k */
function chooseK(k) {
  choose("k", String(k));
  document.querySelector('input[name="k"]:checked')?.dispatchEvent(new Event("change"));
}

function setUpSorting() {
  for (const select of document.querySelectorAll("select.sort")) {
    const cards = select.closest(".k-view")?.querySelector(".cards");
    if (!(select instanceof HTMLSelectElement) || !(cards instanceof HTMLElement)) continue;
    const bar = select.closest(".toolbar");
    if (bar instanceof HTMLElement) bar.hidden = false;
    select.addEventListener("change", () => sortCards(cards, select.value));
    arrows(cards, ".open");
  }
}

/** @param {HTMLElement} cards @param {string} by cluster and label ascend, size and purity descend */
function sortCards(cards, by) {
  const sign = by === "size" || by === "purity" ? -1 : 1;
  const value = (/** @type {Element} */ card) => Number(/** @type {HTMLElement} */ (card).dataset[by]);
  const size = (/** @type {Element} */ card) => Number(/** @type {HTMLElement} */ (card).dataset.size);
  const sorted = [...cards.children].sort((a, b) => sign * (value(a) - value(b)) || size(b) - size(a));
  cards.append(...sorted);
  oneStop(/** @type {HTMLElement[]} */ ([...cards.querySelectorAll(".open")]));
}
