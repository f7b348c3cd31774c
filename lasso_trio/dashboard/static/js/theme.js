/* Light or dark: as the system says, until the reader chooses. The choice is kept in this browser. A classic script in
 * the head's first lines (no module), so that a dark page never flashes white. */
(() => {
  const KEY = "lasso-theme";
  const system = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => { try { return localStorage.getItem(KEY); } catch { return null; } };
  const current = () => stored() ?? (system.matches ? "dark" : "light");
  const apply = () => {
    document.documentElement.dataset.theme = current();
    dispatchEvent(new Event("themechange"));
  };
  globalThis.lassoTheme = {
    current,
    toggle() {
      try { localStorage.setItem(KEY, current() === "dark" ? "light" : "dark"); } catch { /* private mode: not kept */ }
      apply();
    },
  };
  system.addEventListener("change", apply);
  apply();
})();
