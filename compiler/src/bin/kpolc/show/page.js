"use strict";
(() => {
  const one = (id) => document.getElementById(id);
  const tools = one("tools"), text = one("text"), action = one("action"), abi = one("abi"), cond = one("cond");
  const rows = Array.from(document.querySelectorAll("tbody tr"), (row) => ({
    row,
    text: row.textContent.toLowerCase(),
    fates: Array.from(row.querySelectorAll("li"), (li) => ({
      li,
      action: li.dataset.action,
      archs: li.dataset.archs.split(" "),
      cond: "cond" in li.dataset,
    })),
  }));
  const show = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { row, text: own, fates } of rows) {
      let any = false;
      for (const fate of fates) {
        const fits = (!action.value || fate.action === action.value) && (!abi.value || fate.archs.includes(abi.value)) && (!cond.checked || fate.cond);
        fate.li.hidden = !fits;
        any = any || fits;
      }
      row.hidden = !(any && words.every((word) => own.includes(word)));
      shown += row.hidden ? 0 : 1;
    }
    one("count").textContent = shown === rows.length ? `${rows.length} calls` : `${shown} of ${rows.length} calls`;
    one("none").hidden = shown > 0;
    const state = new URLSearchParams();
    if (text.value) state.set("q", text.value);
    if (action.value) state.set("action", action.value);
    if (abi.value) state.set("abi", abi.value);
    if (cond.checked) state.set("cond", "1");
    const hash = String(state);
    // A link to one call stays as it is until something is asked for.
    if (hash || location.hash.includes("=")) history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  };
  const read = () => {
    if (!location.hash.includes("=")) return;
    const state = new URLSearchParams(location.hash.slice(1));
    const pick = (select, value) => { select.value = value || ""; if (select.selectedIndex < 0) select.value = ""; };
    text.value = state.get("q") || "";
    pick(action, state.get("action"));
    pick(abi, state.get("abi"));
    cond.checked = state.has("cond");
  };
  tools.hidden = false;
  text.addEventListener("input", show);
  for (const control of [action, abi, cond]) control.addEventListener("change", show);
  addEventListener("hashchange", () => { read(); show(); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== text && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); text.focus(); }
    if (event.key === "Escape" && document.activeElement === text) { text.value = ""; show(); }
  });
  read();
  show();
})();
