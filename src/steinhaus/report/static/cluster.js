// The dialog of a cluster: its facts, and its members, page by page.

const PAGE = 96;
const MOST_BARS = 14;

class ClusterView {
  /** @param {PageData} data @param {Store} store @param {Sheets} sheets */
  constructor(data, store, sheets) {
    this.data = data;
    this.store = store;
    this.sheets = sheets;
    this.dialog = byId("cluster", HTMLDialogElement);
    this.tiles = byId("tiles", HTMLElement);
    this.k = data.ks[0];
    this.cluster = 0;
    this.page = 0;
    /** @type {number[]} */
    this.list = [];
    /** @type {(place: number) => void} */
    this.opened = () => {};
    whenChosen("order", () => this.show(0));
    whenChosen("part", () => this.show(0));
    for (const [id, to] of /** @type {[string, () => number][]} */ ([
      ["page-first", () => 0],
      ["page-back", () => this.page - 1],
      ["page-on", () => this.page + 1],
      ["page-last", () => this.pages - 1],
    ])) {
      byId(id, HTMLButtonElement).addEventListener("click", () => this.show(to()));
    }
    byId("cluster-close", HTMLButtonElement).addEventListener("click", () => this.dialog.close());
    this.tiles.addEventListener("click", (event) => {
      const tile = /** @type {Element} */ (event.target).closest("button");
      if (tile) this.opened(Number(tile.dataset.place));
    });
    this.dialog.addEventListener("keydown", (event) => {
      if (event.key !== "PageDown" && event.key !== "PageUp") return;
      event.preventDefault();
      this.show(this.page + (event.key === "PageDown" ? 1 : -1));
      this.focus(this.page * PAGE);
    });
    arrows(this.tiles, "button");
  }

  get pages() {
    return Math.max(1, Math.ceil(this.list.length / PAGE));
  }

  /** @param {KData} k @param {number} cluster */
  open(k, cluster) {
    this.k = k;
    this.cluster = cluster;
    this.describe();
    choose("order", "nearest");
    choose("part", "both");
    this.show(0);
    if (!this.dialog.open) this.dialog.showModal();
    this.dialog.scrollTop = 0;
    byId("cluster-title", HTMLElement).focus();
  }

  /** The name of a cluster. @param {number} cluster */
  name(cluster) {
    const label = this.k.mapping ? this.k.mapping[cluster] : null;
    return label === null || !this.data.labelNames ? "" : this.data.labelNames[label];
  }

  describe() {
    const { k, cluster } = this;
    const name = this.name(cluster);
    const test = k.testSizes ? k.testSizes[cluster] : 0;
    const parts = test ? `: ${figure(k.sizes[cluster])} training, ${figure(test)} test` : "";
    byId("cluster-title", HTMLElement).textContent = name ? `Cluster ${cluster}, named ${name}` : `Cluster ${cluster}`;
    byId("cluster-facts", HTMLElement).textContent = `K = ${k.k}. ${figure(k.sizes[cluster] + test)} members${parts}.`;
    byId("cluster-mean", HTMLElement).replaceChildren(...meanOf(k.k, cluster));
    const bars = byId("cluster-labels", HTMLElement);
    bars.hidden = !k.train;
    const names = this.data.labelNames;
    if (k.train && names) bars.replaceChildren(...histogram(k.train[cluster], names, k.mapping?.[cluster]));
  }

  /** Show a page of the chosen list. @param {number} page */
  show(page) {
    const order = /** @type {Order} */ (chosen("order"));
    const part = /** @type {Part} */ (chosen("part") || "both");
    this.list = membersOf(this.store, this.k, this.cluster, order, part);
    this.page = Math.min(Math.max(page, 0), this.pages - 1);
    const from = this.page * PAGE;
    const places = this.list.slice(from, from + PAGE);
    this.tiles.replaceChildren(...places.map((i, at) => this.tile(i, from + at)));
    oneStop(/** @type {HTMLElement[]} */ ([...this.tiles.querySelectorAll("button")]));
    byId("cluster-status", HTMLElement).textContent = this.status(order, part, from, places.length);
    byId("pager", HTMLElement).hidden = this.pages === 1;
    byId("page-number", HTMLElement).textContent = `page ${this.page + 1} of ${this.pages}`;
    for (const [id, off] of /** @type {[string, boolean][]} */ ([
      ["page-first", this.page === 0],
      ["page-back", this.page === 0],
      ["page-on", this.page === this.pages - 1],
      ["page-last", this.page === this.pages - 1],
    ])) {
      byId(id, HTMLButtonElement).disabled = off;
    }
  }

  /** @param {Order} order @param {Part} part @param {number} from @param {number} shown */
  status(order, part, from, shown) {
    const all = countOf(this.k, this.cluster, order, part);
    const what = {
      nearest: "nearest first",
      farthest: "farthest first",
      random: "in random order",
      wrong: "wrongly named, nearest first",
    }[order];
    if (!shown && all) return `This file holds none of these ${figure(all)} images.`;
    if (!shown) return order === "wrong" ? "No member is wrongly named." : "No members.";
    const range = `${figure(from + 1)} to ${figure(from + shown)}`;
    if (this.list.length === all) return `${range} of ${figure(all)}, ${what}.`;
    const here = `${figure(this.list.length)} of ${figure(all)}`;
    const others = this.store.members.sampled ? "The others are still on disk." : "The report as a folder holds all.";
    return `${range}, ${what}. This file holds ${here}. ${others}`;
  }

  /** @param {number} i place in the page @param {number} place in the list @returns {HTMLElement} */
  tile(i, place) {
    const item = element("li");
    const button = element("button", this.store.wrong(this.k, i) ? "tile wrong" : "tile");
    button.setAttribute("type", "button");
    button.dataset.place = String(place);
    button.append(this.sheets.tile(i));
    const label = this.label(i);
    if (label) button.append(element("span", "label", label));
    const wrong = this.store.wrong(this.k, i) ? ", wrongly named" : "";
    button.setAttribute("aria-label", `${this.title(i)}${label ? `, label ${label}` : ""}${wrong}`);
    item.append(button);
    return item;
  }

  /** @param {number} i */
  label(i) {
    return this.store.labels && this.data.labelNames ? this.data.labelNames[this.store.labels[i]] : "";
  }

  /** The name of an image. @param {number} i */
  title(i) {
    const files = this.store.members.files;
    return files ? files[i] : `Image ${figure(this.store.numbers[i])}`;
  }

  /** Scroll to a place of the list and focus it. @param {number} place */
  focus(place) {
    if (Math.floor(place / PAGE) !== this.page) this.show(Math.floor(place / PAGE));
    const tile = this.tiles.querySelector(`button[data-place="${place}"]`);
    if (tile instanceof HTMLElement) tile.focus();
  }
}

/** A copy of a cluster's mean image. @param {number} k @param {number} cluster @returns {Node[]} */
function meanOf(k, cluster) {
  const mean = document.querySelector(`.k-view[data-k="${k}"] .card[data-cluster="${cluster}"] :is(.mean, .profile)`);
  return mean ? [mean.cloneNode(true)] : [];
}

/**
 * Bars of a cluster's labels, the frequent ones.
 * @param {number[]} counts @param {string[]} names @param {number | null | undefined} own
 */
function histogram(counts, names, own) {
  const total = counts.reduce((a, b) => a + b, 0);
  const most = Math.max(...counts, 1);
  let shown = counts.map((_, i) => i);
  if (shown.length > MOST_BARS) {
    shown = shown.sort((a, b) => counts[b] - counts[a]).filter((i, rank) => rank < MOST_BARS && counts[i]);
  }
  return shown.map((i) => {
    const item = element("li", i === own ? "own" : "");
    const bar = element("span", "bar");
    bar.style.height = `${Math.max(1, (64 * counts[i]) / most)}px`;
    const share = element("span", "share", counts[i] ? percent(counts[i], total) : "");
    item.append(share, bar, element("span", "label", names[i]));
    item.title = `${names[i]}: ${figure(counts[i])} training images`;
    return item;
  });
}
