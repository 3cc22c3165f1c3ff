// What can be measured in a page as it is shown. Answers, for each question, what is not as it should be.
() => {
  const result = {};

  // Colours as numbers: red, green, blue from 0 to 255, alpha from 0 to 1.
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const parse = (text) => {
    const match = text.match(/^rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)$/);
    if (match) return [1, 2, 3].map((index) => Number(match[index])).concat(Number(match[4] ?? 1));
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };
  const over = (top, bottom) => [0, 1, 2].map((index) => top[index] * top[3] + bottom[index] * (1 - top[3])).concat(1);
  const luminance = (color) => {
    const [red, green, blue] = color.slice(0, 3).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => {
    const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  };
  // What lies behind an element, all layers of it. A picture behind text can't be judged, so it counts as a problem.
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.backgroundImage !== "none") return null;
      layers.push(parse(style.backgroundColor));
      if (layers.at(-1)[3] === 1) break;
    }
    const canvasColor = matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18, 1] : [255, 255, 255, 1];
    return layers.reverse().reduce((bottom, top) => over(top, bottom), canvasColor);
  };
  const opacity = (element) => {
    let value = 1;
    for (let at = element; at; at = at.parentElement) value *= Number(getComputedStyle(at).opacity);
    return value;
  };
  const isSeen = (element) => {
    if (!element.checkVisibility({ visibilityProperty: true })) return false;
    for (let at = element; at; at = at.parentElement) {
      if (getComputedStyle(at).clipPath.startsWith("inset(50%")) return false;
    }
    const box = element.getBoundingClientRect();
    // Within the page, wherever it is scrolled to.
    return box.width > 0 && box.height > 0 && box.bottom + scrollY > 0;
  };
  const name = (element) =>
    element.id || `${element.tagName.toLowerCase()}.${element.className} ${element.textContent.slice(0, 30)}`;
  const seen = [...document.body.querySelectorAll("*")].filter(isSeen);

  const judge = (element, problems) => {
    const style = getComputedStyle(element);
    const behind = ground(element);
    if (!behind) return problems.push(`${name(element)}: a picture behind it`);
    const color = parse(style.color);
    color[3] *= opacity(element);
    const ratio = contrast(over(color, behind), behind);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (isLarge ? 3 : 4.5)) problems.push(`${name(element)}: ${ratio.toFixed(2)}`);
  };
  const textProblems = [];
  let texts = 0;
  for (const element of seen) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "");
    const isField = element.matches("input:not([type=checkbox])");
    if (!hasText && !isField) continue;
    texts += 1;
    judge(element, textProblems);
  }
  result["text reads at 4.5 to 1"] = texts > 3 ? textProblems : [`only ${texts} texts found`];

  result["the edge of a field shows at 3 to 1"] = seen
    .filter((element) => element.matches("input:not([type=checkbox])"))
    .map((element) => [
      element, contrast(parse(getComputedStyle(element).borderTopColor), ground(element.parentElement))])
    .filter(([, ratio]) => ratio < 3)
    .map(([element, ratio]) => `${name(element)}: ${ratio.toFixed(2)}`);

  const page = document.scrollingElement;
  result["nothing has to be scrolled sideways"] = page.scrollWidth <= page.clientWidth
    ? seen.filter((element) => {
      const box = element.getBoundingClientRect();
      return !element.closest("svg") && (box.right > innerWidth + 1 || box.left < -1) && !element.matches(".skip");
    }).map(name)
    : [`${page.scrollWidth} wide`];

  result["each field has a label that shows"] = seen
    .filter((element) => element.matches("input, select, textarea"))
    .filter((element) => ![...(element.labels ?? [])].some(isSeen))
    .map(name);

  // WCAG 2.2, 2.5.8; a link within a sentence may be as high as its line.
  result["each control is large enough to hit"] = seen
    .filter((element) => element.matches("button, summary, nav a, input:not([type=checkbox]), label:has(input)"))
    .filter((element) => {
      const box = element.getBoundingClientRect();
      return box.width < 24 || box.height < 24;
    })
    .map(name);

  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  result["ids are unique"] = ids.filter((id, index) => ids.indexOf(id) !== index);

  result["what is described by something is described by what exists"] = [
    ...document.querySelectorAll("[aria-describedby], [aria-labelledby]"),
  ].flatMap((element) =>
    ["aria-describedby", "aria-labelledby"]
      .flatMap((attribute) => (element.getAttribute(attribute) ?? "").split(" ").filter(Boolean))
      .filter((id) => !document.getElementById(id)));

  const count = (selector) =>
    [...document.querySelectorAll(selector)].filter((element) => element.checkVisibility()).length;
  const parts = { "body header": 1, main: 1, "body footer": 1, h1: 1, "main [tabindex]:not([tabindex='-1'])": 0 };
  result["there is one header, main part, footer and title, and no order of our own"] = Object.entries(parts)
    .filter(([selector, wanted]) => count(selector) !== wanted)
    .map(([selector]) => `${selector}: ${count(selector)}`);

  const levels = seen
    .filter((element) => element.matches("h1, h2, h3, h4"))
    .map((element) => Number(element.tagName[1]));
  result["headings skip no level"] = levels.filter((level, index) => index > 0 && level > levels[index - 1] + 1);

  result["nothing is styled or scripted inline in the markup"] = [
    ...document.querySelectorAll("script:not([src]), style, [onclick], [onload], [onerror]"),
  ].map(name);

  result["the page has a language and a title"] = document.documentElement.lang && document.title ? [] : ["none"];
  return result;
};
