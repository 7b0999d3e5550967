// Makes the maps beside the packs: `datasets/NAME/map.topojson`, a shape for each level of the variable that the map is of.
//
//     npm run maps
//
// Shapes are as they lie on the page, in points from the upper left: nothing is projected where a map is shown. Where they
// come from, and under which licence, stands in the file itself and in the pack's README.md.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { geoConicEqualArea, geoPath } from "d3-geo";
import { feature } from "topojson-client";
import { topology } from "topojson-server";
import { filter, filterWeight, presimplify, simplify } from "topojson-simplify";

const require = createRequire(import.meta.url);
const datasets = new URL("../../datasets/", import.meta.url);

/** The commands of a path of @svg-maps, which are m, l, L and z, as polygons. */
function polygons(path) {
  const rings = [];
  let [x, y, ring, command] = [0, 0, null, "m"];
  let first = [0, 0];
  for (const [token] of path.matchAll(/[a-zA-Z]|-?[\d.]+(?:e-?\d+)?[\s,]+-?[\d.]+(?:e-?\d+)?/g)) {
    if (/^[a-zA-Z]$/.test(token)) {
      command = token;
      if (command === "z" || command === "Z") {
        ring.push(ring[0]);
        [x, y] = first;
        ring = null;
      }
      continue;
    }
    const [dx, dy] = token.split(/[\s,]+/).map(Number);
    const isRelative = command === command.toLowerCase();
    [x, y] = isRelative ? [x + dx, y + dy] : [dx, dy];
    if (command === "m" || command === "M") {
      ring = [];
      rings.push(ring);
      first = [x, y];
      // Pairs that follow are lines.
      command = command === "m" ? "l" : "L";
    }
    ring.push([x, y]);
  }
  for (const one of rings) {
    if (one[0][0] !== one.at(-1)[0] || one[0][1] !== one.at(-1)[1]) one.push(one[0]);
  }
  const area = (r) => r.reduce((sum, [a, b], i) => sum + (i ? r[i - 1][0] * b - a * r[i - 1][1] : 0), 0) / 2;
  const within = ([px, py], r) =>
    r.reduce((is, [ax, ay], i) => {
      const [bx, by] = r[(i || r.length) - 1];
      return ay > py !== by > py && px < ((bx - ax) * (py - ay)) / (by - ay) + ax ? !is : is;
    }, false);
  const kept = rings.filter((r) => r.length > 3);
  // A ring within another is a hole of it.
  const inside = (r) => kept.find((o) => o !== r && Math.abs(area(o)) > Math.abs(area(r)) && within(r[0], o));
  const outer = kept.filter((r) => !inside(r));
  return outer.map((r) => [r, ...kept.filter((hole) => inside(hole) === r)]);
}

/** Places that are too small to be seen, such as atolls, as squares. */
function seen(polygons) {
  const middles = polygons.map(([ring]) => {
    const of = (axis) => [Math.min(...ring.map((p) => p[axis])), Math.max(...ring.map((p) => p[axis]))];
    const [[left, right], [top, bottom]] = [of(0), of(1)];
    return { size: Math.max(right - left, bottom - top), at: [(left + right) / 2, (top + bottom) / 2] };
  });
  if (middles.some(({ size }) => size > 3)) return polygons;
  const half = 1.6;
  return middles.map(({ at: [x, y] }) => [
    [[x - half, y - half], [x + half, y - half], [x + half, y + half], [x - half, y + half], [x - half, y - half]],
  ]);
}

/** A map of @svg-maps. `level` says which level of the pack a place is. */
function svg(name, level) {
  const { viewBox, locations } = require(`@svg-maps/${name}`).default ?? require(`@svg-maps/${name}`);
  const [, , width, height] = viewBox.split(" ").map(Number);
  const features = locations.map((place) => ({
    type: "Feature",
    properties: { level: level(place), name: place.name },
    geometry: { type: "MultiPolygon", coordinates: seen(polygons(place.path)) },
  }));
  return { width, height, features, source: `@svg-maps/${name} ${version(`@svg-maps/${name}`)}`, licence: "CC BY 4.0" };
}

function version(name) {
  return JSON.parse(readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url))).version;
}

const POSTAL = {
  "01": "AL", "02": "AK", "04": "AZ", "05": "AR", "06": "CA", "08": "CO", "09": "CT", 10: "DE", 11: "DC", 12: "FL",
  13: "GA", 15: "HI", 16: "ID", 17: "IL", 18: "IN", 19: "IA", 20: "KS", 21: "KY", 22: "LA", 23: "ME", 24: "MD", 25: "MA",
  26: "MI", 27: "MN", 28: "MS", 29: "MO", 30: "MT", 31: "NE", 32: "NV", 33: "NH", 34: "NJ", 35: "NM", 36: "NY", 37: "NC",
  38: "ND", 39: "OH", 40: "OK", 41: "OR", 42: "PA", 44: "RI", 45: "SC", 46: "SD", 47: "TN", 48: "TX", 49: "UT", 50: "VT",
  51: "VA", 53: "WA", 54: "WV", 55: "WI", 56: "WY", 72: "PR",
};

/** The states as us-atlas lays them out (Albers, with Alaska and Hawaii below), and Puerto Rico beside Florida. */
function usa() {
  const read = (file) => JSON.parse(readFileSync(require.resolve(`us-atlas/${file}`)));
  const [albers, degrees] = [read("states-albers-10m.json"), read("states-10m.json")];
  const known = feature(albers, albers.objects.states).features.filter((f) => POSTAL[f.id] && f.geometry);
  const features = known.filter((f) => POSTAL[f.id] !== "PR");
  const puertoRico = feature(degrees, degrees.objects.states).features.find((f) => f.id === "72");
  const projection = geoConicEqualArea().parallels([8, 18]).rotate([66, 0]);
  projection.fitExtent([[845, 548], [925, 580]], puertoRico);
  const path = geoPath(projection);
  features.push({ ...puertoRico, geometry: { type: "MultiPolygon", coordinates: polygons(path(puertoRico).replace(/([MLZ])/g, " $1 ")) } });
  const named = features.map(({ id, properties, geometry }) => ({
    type: "Feature",
    properties: { level: POSTAL[id], name: properties.name },
    geometry,
  }));
  const source = `us-atlas ${version("us-atlas")}, from the cartographic boundary files of the U.S. Census Bureau, 2017`;
  return { width: 975, height: 610, features: named, source, licence: "ISC; the boundaries are in the public domain" };
}

const JAPAN = {
  hokkaido: "北海道", aomori: "青森県", iwate: "岩手県", miyagi: "宮城県", akita: "秋田県", yamagata: "山形県",
  fukushima: "福島県", ibaraki: "茨城県", tochigi: "栃木県", gunma: "群馬県", saitama: "埼玉県", chiba: "千葉県",
  tokyo: "東京都", kanagawa: "神奈川県", niigata: "新潟県", toyama: "富山県", ishikawa: "石川県", fukui: "福井県",
  yamanashi: "山梨県", nagano: "長野県", gifu: "岐阜県", shizuoka: "静岡県", aichi: "愛知県", mie: "三重県",
  shiga: "滋賀県", kyoto: "京都府", osaka: "大阪府", hyogo: "兵庫県", nara: "奈良県", wakayama: "和歌山県",
  tottori: "鳥取県", shimane: "島根県", okayama: "岡山県", hiroshima: "広島県", yamaguchi: "山口県", tokushima: "徳島県",
  kagawa: "香川県", ehime: "愛媛県", kochi: "高知県", fukuoka: "福岡県", saga: "佐賀県", nagasaki: "長崎県",
  kumamoto: "熊本県", oita: "大分県", miyazaki: "宮崎県", kagoshima: "鹿児島県", okinawa: "沖縄県",
};

const MAPS = {
  usa: { variable: "state", detail: 0.25, make: usa },
  brazil: { variable: "state", detail: 0.05, make: () => svg("brazil", (place) => place.name) },
  japan: { variable: "prefecture", detail: 0.02, make: () => svg("japan", (place) => JAPAN[place.id]) },
  india: { variable: "state", detail: 0.15, make: () => svg("india", (place) => place.name) },
};

for (const [country, { variable, detail, make }] of Object.entries(MAPS)) {
  const { width, height, features, source, licence } = make();
  const unknown = features.filter((f) => !f.properties.level);
  if (unknown.length) throw new Error(`${country}: no level for ${unknown.map((f) => f.properties.name).join(", ")}`);
  features.sort((a, b) => (a.properties.level < b.properties.level ? -1 : 1));
  let made = topology({ [variable]: { type: "FeatureCollection", features } }, 1e5);
  made = presimplify(made);
  made = simplify(made, detail);
  made = filter(made, filterWeight(made, detail * 2));
  made = topology({ [variable]: feature(made, made.objects[variable]) }, 3e3);
  made.bbox = [0, 0, width, height];
  const text = JSON.stringify({ source, licence, ...made }) + "\n";
  writeFileSync(new URL(`${country}/map.topojson`, datasets), text);
  console.log(country, features.length, "places", text.length, "bytes");
}
