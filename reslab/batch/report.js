for (const place of document.querySelectorAll('.figure')) {
  const figure = JSON.parse(place.firstElementChild.textContent);
  place.replaceChildren();
  if (figure.layout?.width) place.style.width = figure.layout.width + 'px';
  Plotly.newPlot(place, figure);
}
const button = document.getElementById('code'), code = [...document.querySelectorAll('details.code')];
button.hidden = !code.length;
button.onclick = () => {
  const open = !code.every(cell => cell.open);
  code.forEach(cell => cell.open = open);
  button.textContent = open ? 'Hide code' : 'Show code';
};
addEventListener('beforeprint', () => document.querySelectorAll('.appendix details').forEach(d => d.open = true));
