// The only way this page makes elements. Text goes in as text nodes, so whatever people typed shows as they typed it
// and is never read as HTML.

const svgNamespace = "http://www.w3.org/2000/svg";

/**
 * An element with attributes and children. An attribute that is `null`, `undefined` or `false` is left out, `true` is
 * set empty. A child is a node or a text.
 */
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for a shape of a drawing. */
export function makeShape(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(svgNamespace, tag), attributes, children);
}

/** The element with this id. A missing one is a mistake in the page, better seen at its start than later. */
export function find(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}
