// A small drawing of a ship that is loaded while a consignment grows. It says nothing that the words beside it don't.

import { makeShape } from "./dom.js";

const columns = 8;
const rows = 3;
const box = { width: 15, height: 10, gap: 1.5, left: 54, floor: 66 };
const tones = 5;

/** What the deck shows; more than this is only a number in the text. */
export const boxesShownMax = columns * rows;

/** Draws a ship into `place`; answers a function that loads it with a number of containers. */
export function drawShip(place) {
  const load = makeShape("g");
  place.append(
    makeShape("svg", { viewBox: "-26 10 272 102", "aria-hidden": "true", focusable: "false", class: "ship" },
      makeShape("g", { class: "ship-body" },
        load,
        makeShape("path", { class: "ship-house", d: "M22 66V36h6v-9h14v9h6v30z" }),
        makeShape("path", { class: "ship-funnel", d: "M30 27v-9h9v9z" }),
        makeShape("path", { class: "ship-windows", d: "M26 42h18v4H26zM26 50h18v4H26z" }),
        makeShape("path", { class: "ship-hull", d: "M10 67h200l-13 27q-2 4-7 4H31q-5 0-8-5z" }),
        makeShape("path", { class: "ship-line", d: "M17.500 80h186l-1.900 4H19.600z" })),
      // Two waves in different time, before and behind one another.
      makeShape("path", { class: "wave wave-far", d: waves(94, 4) }),
      makeShape("path", { class: "wave wave-near", d: waves(99, 4) })));
  let loaded = 0;
  return (count) => {
    const wanted = Math.min(count, boxesShownMax);
    while (loaded > wanted) load.children[--loaded].remove();
    while (loaded < wanted) load.append(container(loaded++));
  };
}

/** Boxes fill the deck from the house to the bow, then the next layer. */
function container(index) {
  const column = index % columns;
  const row = Math.floor(index / columns);
  return makeShape("rect", {
    // The colours go round unevenly, so that layers differ.
    class: `box tone-${(index * 3 + row) % tones}`,
    x: box.left + column * (box.width + box.gap),
    y: box.floor - (row + 1) * (box.height + box.gap) + box.gap,
    width: box.width,
    height: box.height,
    rx: 1,
  });
}

function waves(level, height) {
  // Wider than what shows, so that there is sea to drift in.
  let path = `M-60 ${level}`;
  for (let x = -60; x < 280; x += 20) path += `q5 -${height} 10 0t10 0`;
  return `${path}V114H-60z`;
}
