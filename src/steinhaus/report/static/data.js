// The data of the script in the page: plain values, and arrays as base64 of little-endian integers.

/**
 * @typedef {object} KData One K.
 * @property {number} k
 * @property {(number | null)[] | null} mapping label of each cluster
 * @property {number[][] | null} train clusters x labels, counts of the training part
 * @property {number[][] | null} test
 * @property {number[]} sizes training images of each cluster
 * @property {number[] | null} testSizes
 * @property {number[][]} curves inertia of each run after each iteration
 * @property {string | null} near clusters nearest to each image, its own first
 * @property {string | null} distances of those, in units
 * @property {number} unit
 * @property {number} nearest how many nearest clusters are known of each image
 *
 * @typedef {object} Members The images that the page carries.
 * @property {number} total images at hand
 * @property {number} train those of them that are of the training part
 * @property {boolean} sampled whether they are a sample of the data
 * @property {number | null} each how many of each list are there for certain; null: every image is there
 * @property {{height: number, width: number, columns: number, perSheet: number}} tile
 * @property {boolean} smooth whether to smooth an image shown large
 * @property {string[]} sheets addresses of the sheets
 * @property {string} ids places in the data, train then test
 * @property {string} numbers where each stood in the source
 * @property {string | null} random whether each was drawn at random
 * @property {string | null} labels
 * @property {string[] | null} files
 *
 * @typedef {object} PageData
 * @property {string[] | null} labelNames
 * @property {number} shown the K to show first
 * @property {KData[]} ks
 * @property {Members | null} members
 */

/** @param {string} text @returns {Uint8Array<ArrayBuffer>} */
function bytes(text) {
  const raw = atob(text);
  const out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return out;
}

/** The image numbers, labels and nearest clusters. They are unpacked when they are first needed. */
class Store {
  /** @param {PageData} data @param {Members} members */
  constructor(data, members) {
    this.data = data;
    this.members = members;
    this.numbers = new Uint32Array(bytes(members.numbers).buffer);
    this.ids = new Uint32Array(bytes(members.ids).buffer);
    this.labels = members.labels === null ? null : new Uint16Array(bytes(members.labels).buffer);
    this.random = members.random === null ? null : bytes(members.random);
    /** @type {Map<number, {near: Uint8Array | Uint16Array, distances: Uint16Array, width: number, unit: number}>} */
    this.unpacked = new Map();
  }

  /** @param {KData} k */
  near(k) {
    let found = this.unpacked.get(k.k);
    if (!found) {
      const raw = bytes(k.near ?? "");
      found = {
        near: k.k > 256 ? new Uint16Array(raw.buffer) : raw,
        distances: new Uint16Array(bytes(k.distances ?? "").buffer),
        width: k.nearest,
        unit: k.unit,
      };
      this.unpacked.set(k.k, found);
    }
    return found;
  }

  /** Whether the image of this place in the page is named wrongly by K. @param {KData} k @param {number} i */
  wrong(k, i) {
    if (!this.labels || !k.mapping) return false;
    const near = this.near(k);
    return k.mapping[near.near[i * near.width]] !== this.labels[i];
  }

  /** @param {number} i @returns {"train" | "test"} */
  part(i) {
    return this.ids[i] < this.members.train ? "train" : "test";
  }
}

/** @typedef {"nearest" | "farthest" | "random" | "wrong"} Order */
/** @typedef {"both" | "train" | "test"} Part */

/**
 * The places in the page of a cluster's members, in order.
 * @param {Store} store @param {KData} k @param {number} cluster @param {Order} order @param {Part} part
 * @returns {number[]}
 */
function membersOf(store, k, cluster, order, part) {
  const { near, distances, width } = store.near(k);
  /** @type {number[]} */
  let found = [];
  for (let i = 0; i < store.ids.length; i++) if (near[i * width] === cluster) found.push(i);
  if (order === "random") {
    const random = store.random;
    if (random) found = found.filter((i) => random[i]);
    const key = (/** @type {number} */ i) => Math.imul(store.ids[i] + 1, 2654435761) >>> 0;
    found.sort((a, b) => key(a) - key(b));
  } else {
    if (order === "wrong") found = found.filter((i) => store.wrong(k, i));
    found.sort((a, b) => distances[a * width] - distances[b * width] || store.ids[a] - store.ids[b]);
    if (order === "farthest") found.reverse();
    if (store.members.each !== null) found = found.slice(0, store.members.each);
  }
  return part === "both" ? found : found.filter((i) => store.part(i) === part);
}

/**
 * How many members of a cluster the data has, in all, whether the page carries them or not.
 * @param {KData} k @param {number} cluster @param {Order} order @param {Part} part
 */
function countOf(k, cluster, order, part) {
  const label = k.mapping ? k.mapping[cluster] : null;
  const right = (/** @type {number[][] | null} */ table) => (table && label !== null ? table[cluster][label] : 0);
  const skip = order === "wrong";
  const train = k.sizes[cluster] - (skip ? right(k.train) : 0);
  const test = k.testSizes ? k.testSizes[cluster] - (skip ? right(k.test) : 0) : 0;
  return (part === "test" ? 0 : train) + (part === "train" ? 0 : test);
}
