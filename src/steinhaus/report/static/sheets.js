// Sheets of tiles, loaded when first needed; only the latest stay in memory.

const KEPT_SHEETS = 64;

class Sheets {
  /** @param {Members} members */
  constructor(members) {
    this.members = members;
    /** @type {Map<number, Promise<HTMLImageElement>>} */
    this.loaded = new Map();
  }

  /** @param {number} index @returns {Promise<HTMLImageElement>} */
  sheet(index) {
    let picture = this.loaded.get(index);
    if (picture) {
      this.loaded.delete(index);
    } else {
      const image = new Image();
      image.src = this.members.sheets[index];
      picture = image.decode().then(() => image);
      picture.catch(() => this.loaded.delete(index));
    }
    this.loaded.set(index, picture);
    const oldest = this.loaded.keys().next().value;
    if (this.loaded.size > KEPT_SHEETS && oldest !== undefined) this.loaded.delete(oldest);
    return picture;
  }

  /** Draw the image of this place in the page. @param {number} i @returns {HTMLCanvasElement} */
  draw(i) {
    const { height, width, columns, perSheet } = this.members.tile;
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    canvas.className = this.members.smooth ? "smooth" : "";
    const at = i % perSheet;
    this.sheet(Math.floor(i / perSheet)).then(
      (sheet) => {
        const x = (at % columns) * width;
        const y = Math.floor(at / columns) * height;
        canvas.getContext("2d")?.drawImage(sheet, x, y, width, height, 0, 0, width, height);
      },
      () => canvas.classList.add("missing"),
    );
    return canvas;
  }
}
