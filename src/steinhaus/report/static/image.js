// The dialog of an image: a large view, its label, its cluster, and the nearest centroids.

class ImageView {
  /** @param {ClusterView} cluster */
  constructor(cluster) {
    this.cluster = cluster;
    this.dialog = byId("image", HTMLDialogElement);
    this.place = 0;
    cluster.opened = (place) => this.open(place);
    byId("image-close", HTMLButtonElement).addEventListener("click", () => this.dialog.close());
    byId("image-back", HTMLButtonElement).addEventListener("click", () => this.open(this.place - 1));
    byId("image-on", HTMLButtonElement).addEventListener("click", () => this.open(this.place + 1));
    this.dialog.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) this.open(this.place + step);
    });
    this.dialog.addEventListener("close", () => this.cluster.focus(this.place));
  }

  /** @param {number} place in the cluster's list */
  open(place) {
    const { list, store, k } = this.cluster;
    if (place < 0 || place >= list.length) return;
    this.place = place;
    const i = list[place];
    byId("image-title", HTMLElement).textContent = this.cluster.title(i);
    byId("image-large", HTMLElement).replaceChildren(this.cluster.sheets.large(i));
    const near = store.near(k);
    const own = near.near[i * near.width];
    const name = this.cluster.name(own);
    /** @type {[string, string][]} */
    const facts = [["Part", store.part(i) === "train" ? "training" : "test"]];
    const label = this.cluster.label(i);
    if (label) facts.push(["Label", label]);
    facts.push(["Cluster", name ? `${own}, named ${name}${store.wrong(k, i) ? ": wrong" : ""}` : String(own)]);
    const terms = facts.flatMap(([term, value]) => [element("dt", "", term), element("dd", "", value)]);
    byId("image-facts", HTMLElement).replaceChildren(...terms);
    byId("image-near", HTMLElement).replaceChildren(...this.bars(i));
    byId("image-count", HTMLElement).textContent = `${figure(place + 1)} of ${figure(list.length)}`;
    byId("image-back", HTMLButtonElement).disabled = place === 0;
    byId("image-on", HTMLButtonElement).disabled = place === list.length - 1;
    if (!this.dialog.open) this.dialog.showModal();
  }

  /** The nearest centroids, each with a bar whose length is the distance. @param {number} i @returns {HTMLElement[]} */
  bars(i) {
    const { store, k } = this.cluster;
    const { near, distances, width, unit } = store.near(k);
    const at = [...Array(width).keys()].map((t) => i * width + t);
    const most = Math.max(...at.map((t) => distances[t]), 1);
    return at.map((t, rank) => {
      const item = element("li", rank === 0 ? "own" : "");
      const mean = element("span", "pic");
      mean.append(...meanOf(k.k, near[t]));
      const bar = element("span", "bar");
      bar.style.width = `${(100 * distances[t]) / most}%`;
      const track = element("span", "track");
      track.append(bar);
      const name = element("span", "name", this.cluster.name(near[t]) || `cluster ${near[t]}`);
      item.append(mean, name, track, element("span", "value", (distances[t] * unit).toFixed(2)));
      return item;
    });
  }
}
