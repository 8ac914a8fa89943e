// Start the script. It works on elements that the page already shows.

(() => {
  const data = /** @type {PageData} */ (JSON.parse(byId("data", HTMLScriptElement).textContent));
  setUpCurves(data);
  setUpTips();
  setUpSorting();
  setUpChooser(data, () => {});
  if (!data.members) return;
  const store = new Store(data, data.members);
  const cluster = new ClusterView(data, store, new Sheets(data.members, store.ids.length));
  new ImageView(cluster);
  for (const button of document.querySelectorAll(".open")) {
    if (button instanceof HTMLElement) button.hidden = false;
  }
  document.addEventListener("click", (event) => {
    const mark = /** @type {Element} */ (event.target).closest(".card .open, .node[data-cluster]");
    const owner = mark?.closest("[data-cluster]");
    if (!(owner instanceof HTMLElement || owner instanceof SVGElement)) return;
    const number = Number(owner.dataset.k ?? owner.closest(".k-view")?.getAttribute("data-k"));
    const k = data.ks.find((entry) => entry.k === number);
    if (k) cluster.open(k, Number(owner.dataset.cluster));
  });
})();
