// What is wrong with the page that is open? Run by test_browser.py, which passes a callback.
const finished = arguments[arguments.length - 1];

const shown = (element) => {
  const box = element.getBoundingClientRect();
  return element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })
    && box.width > 1 && box.height > 1;
};
const named = (element) => {
  const text = (element.textContent || element.src || "").trim().replace(/\s+/g, " ");
  return `<${element.tagName.toLowerCase()} class="${element.getAttribute("class") || ""}"> ${text.slice(0, 60)}`;
};

// sRGB, as WCAG 2 computes the contrast of two colours.
const numbers = (colour) => {
  const found = colour.match(/^rgba?\(([^)]+)\)$/);
  if (!found) return null;
  const [r, g, b, a = 1] = found[1].split(/[ ,/]+/).map(Number);
  return [r, g, b, a];
};
const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
const luminance = (colour) => {
  const [r, g, b] = colour.slice(0, 3).map((part) => {
    const c = part / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const background = (element) => {
  const layers = [];
  for (let at = element; at; at = at.parentElement) {
    const layer = numbers(getComputedStyle(at).backgroundColor);
    if (layer && layer[3] > 0) layers.push(layer);
    if (layer && layer[3] === 1) break;
  }
  return layers.reduceRight((below, layer) => over(layer, below), [255, 255, 255, 1]);
};
const faint = (least) => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  const found = [];
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || seen.has(element)) continue;
    seen.add(element);
    if (element.closest("script, style, noscript, mjx-assistive-mml") || !shown(element)) continue;
    const style = getComputedStyle(element);
    const colour = numbers(element.closest("svg") ? style.fill : style.color);
    if (!colour) continue;
    const behind = background(element);
    const [one, two] = [luminance(over(colour, behind)), luminance(behind)];
    const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    if (contrast < least) found.push(`${contrast.toFixed(2)}: ${named(element)}`);
  }
  return found;
};

(async () => {
  if (document.readyState !== "complete") {
    await new Promise((go) => { window.addEventListener("load", go); });
  }
  if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
  const images = [...document.images];
  await Promise.all(images.map((image) => {
    image.loading = "eager";
    return image.complete ? null : new Promise((go) => { image.onload = image.onerror = go; });
  }));
  const still = document.createElement("style");
  still.textContent = "*, *::before, *::after { transition: none !important; }";
  document.head.append(still);

  const found = {};
  found.images = images.filter((image) => image.naturalWidth === 0).map(named);
  found.formulas = [
    ...[...document.querySelectorAll(".math")].filter((m) => !m.querySelector("mjx-container")),
    ...document.querySelectorAll("mjx-merror, [data-mjx-error]"),
    // A scroll bar under a formula that would fit.
    ...[...document.querySelectorAll("span.math, span.math mjx-container")].filter((m) => (
      m.offsetHeight - m.clientHeight > 3 && m.clientHeight > 0
      && m.getBoundingClientRect().width < 0.9 * m.closest("p, li, td, th, dd, div").clientWidth)),
  ].map(named);
  const article = document.querySelector("article") || document.body;
  found.markup = article.innerText.split("\n").filter((line) => /:(math|doc|ref|class|func|meth):`/.test(line));
  const page = document.scrollingElement;
  const scrolls = (e) => e !== null && e !== document.body
    && (/auto|scroll/.test(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
  const cut = (e) => shown(e) && !scrolls(e)
    && e.getBoundingClientRect().right > page.clientWidth + 1;
  found.wide = [...article.querySelectorAll("*")].filter(cut).slice(0, 5).map(named);
  if (page.scrollWidth > page.clientWidth) found.wide.push(`the page is ${page.scrollWidth} pixels wide`);
  for (const theme of ["light", "dark"]) {
    document.documentElement.dataset.theme = theme;
    found[theme] = faint(3);
  }
  return found;
})().then(finished, (error) => finished({ script: [String(error)] }));
