// Formulas cannot be broken: those that are wider than their paragraph get a class that lets them scroll.
const markWideFormulas = () => {
  for (const formula of document.querySelectorAll("span.math")) {
    const room = formula.closest("p, li, td, th, dd, div")?.clientWidth ?? Infinity;
    const width = formula.querySelector("mjx-math")?.getBoundingClientRect().width ?? 0;
    formula.classList.toggle("wide", width > room);
  }
};
window.addEventListener("load", () => {
  if (window.MathJax?.startup) MathJax.startup.promise.then(markWideFormulas);
});
window.addEventListener("resize", markWideFormulas);
