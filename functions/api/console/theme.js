// Before the page is drawn: the theme that was chosen, if one was. main.js lets it be changed.
try {
  const chosen = localStorage.getItem("weir.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage may be forbidden; then the system's theme it is.
}
