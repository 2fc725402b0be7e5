"use strict";

/* What the viewers share: a map over outlines of the countries that come from here. A map of the
   Internet's is asked for nothing unless somebody chooses it. */

const note = (text) => { document.getElementById("note").textContent = text; };

const json = async (url) => {
  const answer = await fetch(url);
  if (answer.status === 204) return null;
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail || `${answer.status} ${answer.statusText}`);
  return body;
};

const table = (rows) => {
  const made = document.createElement("table");
  for (const [name, value] of rows) {
    const row = made.insertRow();
    row.insertCell().textContent = name;
    row.insertCell().textContent = value ?? "no data";
  }
  return made;
};

const makeMap = (statics, options = {}) => {
  const map = L.map("map", { worldCopyJump: true, ...options }).setView([20, 0], 2);
  map.attributionControl.setPrefix('<a href="https://leafletjs.com">Leaflet</a>');
  map.createPane("countries").style.zIndex = 150;
  const countries = L.geoJSON(null, {
    pane: "countries",
    interactive: false,
    attribution: "Natural Earth",
    style: { color: "#8a9aa5", weight: 1, fillColor: "#f7f5f0", fillOpacity: 1 },
  }).addTo(map);
  json(`${statics}/countries.json`)
    .then((all) => all.forEach((one) => countries.addData(one.geometry)))
    .catch((error) => note(error.message));
  const streets = L.tileLayer("https://tile.openstreetmap.org/{z}/{x}/{y}.png", {
    attribution: '&copy; <a href="https://www.openstreetmap.org/copyright">OpenStreetMap</a>',
    maxZoom: 19,
  });
  const bases = { Countries: countries };
  if (map.options.crs === L.CRS.EPSG3857) bases.OpenStreetMap = streets;
  const layers = L.control.layers(bases, {}, { collapsed: false }).addTo(map);
  return { map, layers };
};

const fit = (map, [west, south, east, north]) =>
  map.fitBounds([[south, west], [north, west > east ? east + 360 : east]], { maxZoom: 18 });
