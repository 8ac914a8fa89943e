// Sheets of tiles. They are loaded when first needed, and only the latest stay in memory.
//
// Small tiles are backgrounds with one style rule per sheet: a canvas per tile costs over a megabyte in Chromium.

const KEPT_SHEETS = 100; // more than one page needs

class Sheets {
  /** @param {Members} members @param {number} count images in the page */
  constructor(members, count) {
    this.members = members;
    this.count = count;
    /** @type {Map<number, Promise<HTMLImageElement>>} latest last */
    this.loaded = new Map();
    const style = document.styleSheets[0];
    style.insertRule("@media all {}", style.cssRules.length);
    this.rules = /** @type {CSSMediaRule} */ (style.cssRules[style.cssRules.length - 1]);
  }

  /** @param {number} index @returns {Promise<HTMLImageElement>} */
  sheet(index) {
    const known = this.loaded.get(index);
    this.loaded.delete(index);
    const picture = known ?? this.load(index);
    this.loaded.set(index, picture);
    const oldest = this.loaded.keys().next().value;
    if (this.loaded.size > KEPT_SHEETS && oldest !== undefined) this.forget(oldest);
    return picture;
  }

  /** @param {number} index @returns {Promise<HTMLImageElement>} */
  load(index) {
    const image = new Image();
    image.src = this.members.sheets[index];
    this.rules.insertRule(`.sheet-${index} { background-image: url("${image.src}") }`, this.rules.cssRules.length);
    /** @type {Promise<HTMLImageElement>} */
    const picture = new Promise((resolve, reject) => {
      image.addEventListener("load", () => resolve(image));
      image.addEventListener("error", reject);
    });
    picture.catch(() => this.forget(index));
    return picture;
  }

  /** @param {number} index */
  forget(index) {
    this.loaded.delete(index);
    const at = [...this.rules.cssRules].findIndex((rule) => rule.cssText.startsWith(`.sheet-${index} `));
    if (at >= 0) this.rules.deleteRule(at);
  }

  /** Where the image of this place in the page is, and how many rows its sheet has. @param {number} i */
  find(i) {
    const { columns, perSheet } = this.members.tile;
    const sheet = Math.floor(i / perSheet);
    const at = i % perSheet;
    const rows = Math.ceil(Math.min(perSheet, this.count - sheet * perSheet) / columns);
    return { sheet, column: at % columns, row: Math.floor(at / columns), rows };
  }

  /** Show the image of this place in the page, small. @param {number} i @returns {HTMLElement} */
  tile(i) {
    const { height, width, columns } = this.members.tile;
    const { sheet, column, row, rows } = this.find(i);
    const picture = element("span", `picture sheet-${sheet}${this.members.smooth ? " smooth" : ""}`);
    picture.style.aspectRatio = `${width} / ${height}`;
    picture.style.backgroundSize = `${100 * columns}% ${100 * rows}%`;
    picture.style.backgroundPosition = `${share(column, columns)}% ${share(row, rows)}%`;
    this.sheet(sheet).catch(() => picture.classList.add("missing"));
    return picture;
  }

  /** Draw the image of this place in the page, to be shown large. @param {number} i @returns {HTMLElement} */
  large(i) {
    const { height, width } = this.members.tile;
    const { sheet, column, row } = this.find(i);
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    canvas.className = this.members.smooth ? "smooth" : "";
    this.sheet(sheet).then(
      (image) => {
        const [x, y] = [column * width, row * height];
        canvas.getContext("2d")?.drawImage(image, x, y, width, height, 0, 0, width, height);
      },
      () => canvas.classList.add("missing"),
    );
    return canvas;
  }
}

/** A background's position for one of so many columns or rows, in percent. @param {number} at @param {number} of */
function share(at, of) {
  return of > 1 ? (100 * at) / (of - 1) : 0;
}
