// Read charts: show the values of curves under the pointer or by arrow keys, and the titles of marks as tips.

/** @param {PageData} data */
function setUpCurves(data) {
  for (const svg of document.querySelectorAll("svg.curves")) {
    const k = data.ks.find((entry) => String(entry.k) === /** @type {SVGElement} */ (svg).dataset.k);
    const readout = svg.closest("figure")?.querySelector(".readout");
    if (k && svg instanceof SVGSVGElement && readout instanceof HTMLElement) readCurves(svg, k, readout);
  }
}

/** @param {SVGSVGElement} svg @param {KData} k @param {HTMLElement} readout */
function readCurves(svg, k, readout) {
  const [left, right, longest] = [svg.dataset.left, svg.dataset.right, svg.dataset.longest].map(Number);
  const log = svg.dataset.log === "1";
  const guide = document.createElementNS("http://www.w3.org/2000/svg", "line");
  guide.setAttribute("class", "guide");
  guide.setAttribute("y1", "26");
  guide.setAttribute("y2", String(svg.viewBox.baseVal.height - 34));
  svg.append(guide);
  let at = longest;
  const show = (/** @type {number} */ iteration) => {
    at = Math.min(Math.max(Math.round(iteration), 1), longest);
    const share = log ? Math.log(at) / Math.log(longest) : (at - 1) / (longest - 1);
    const x = String(left + share * (right - left));
    guide.setAttribute("x1", x);
    guide.setAttribute("x2", x);
    svg.classList.add("reading");
    const values = k.curves.map((curve, run) => {
      const value = `run ${run + 1}: ${figure(curve[Math.min(at, curve.length) - 1])}`;
      return at <= curve.length ? value : `${value} (ended)`;
    });
    readout.textContent = `Iteration ${at}. ${values.join(" · ")}`;
  };
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const share = (((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width - left) / (right - left);
    show(log ? longest ** share : 1 + share * (longest - 1));
  });
  svg.addEventListener("pointerleave", () => svg.classList.remove("reading"));
  svg.addEventListener("blur", () => svg.classList.remove("reading"));
  svg.setAttribute("tabindex", "0");
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    show(at + step);
  });
}

/** Show the titles of marks without a delay. */
function setUpTips() {
  const tip = element("div", "tip");
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);
  document.addEventListener("pointerover", (event) => {
    const mark = /** @type {Element} */ (event.target).closest(".chart :has(> title)");
    const title = mark?.querySelector(":scope > title")?.textContent;
    tip.hidden = !title;
    tip.textContent = title ?? "";
  });
  document.addEventListener("pointermove", (event) => {
    if (tip.hidden) return;
    const x = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    tip.style.transform = `translate(${Math.max(8, x)}px, ${event.clientY + 16}px)`;
  });
}
