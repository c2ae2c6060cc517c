// Looks like ipywidgets' own button, in every theme: it has its classes.
export default {
  render({ model, el }) {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    const show = () => {
      button.textContent = model.get("description");
      button.className = `jupyter-widgets jupyter-button widget-button${model.get("primary") ? " mod-primary" : ""}`;
    };
    button.addEventListener("click", () => {
      model.set("presses", model.get("presses") + 1);
      model.save_changes();
    });
    model.on("change:description change:primary", show);
    show();
    el.append(button);
    model.set("views", model.get("views") + 1);
    model.save_changes();
    return () => model.off("change:description change:primary", show);
  },
};
