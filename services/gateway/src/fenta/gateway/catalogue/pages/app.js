"use strict";
// Draws /v1/openapi.json as a list of operations. Texts are set as text, never as markup.

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function resolve(api, schema, seen = []) {
  if (!schema || typeof schema !== "object") return schema;
  if (Array.isArray(schema)) return schema.map((item) => resolve(api, item, seen));
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    if (seen.includes(name)) return { $ref: name };
    return resolve(api, api.components.schemas[name], [...seen, name]);
  }
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, resolve(api, value, seen)]));
}

function shape(api, content) {
  const schema = content && Object.values(content)[0] && Object.values(content)[0].schema;
  return schema && element("pre", { textContent: JSON.stringify(resolve(api, schema), null, 2) });
}

function parameters(list) {
  const rows = list.map((each) => element("tr", {},
    element("td", {}, element("code", { textContent: each.name })),
    element("td", { textContent: each.in + (each.required ? ", required" : "") }),
    element("td", { textContent: each.description || "" })));
  return element("table", {}, ...rows);
}

function details(api, operation) {
  const box = element("div", { className: "body" });
  if (operation.description) box.append(element("p", { textContent: operation.description }));
  if (operation.parameters) box.append(element("h4", { textContent: "Parameters" }), parameters(operation.parameters));
  const asked = operation.requestBody && shape(api, operation.requestBody.content);
  if (asked) box.append(element("h4", { textContent: "Body" }), asked);
  for (const [status, answer] of Object.entries(operation.responses || {})) {
    box.append(element("h4", { textContent: `${status} ${answer.description || ""}` }));
    const given = shape(api, answer.content);
    if (given) box.append(given);
  }
  return box;
}

function drawOperation(api, path, method, operation) {
  const line = element("summary", {},
    element("span", { className: `method ${method}`, textContent: method.toUpperCase() }),
    element("code", { textContent: path }),
    element("span", { textContent: operation.summary || "" }));
  const made = element("details", {}, line);
  made.dataset.words = `${method} ${path} ${operation.summary || ""}`.toLowerCase();
  made.addEventListener("toggle", () => {
    if (made.open && made.children.length === 1) made.append(details(api, operation));
  });
  return made;
}

function draw(api) {
  document.getElementById("about").textContent =
    `Version ${api.info.version}. Send Authorization: Bearer with an access token. The description is at /v1/openapi.json.`;
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((name) => item[name])) {
      const group = item[method].tags[0];
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push(drawOperation(api, path, method, item[method]));
    }
  }
  const page = document.getElementById("operations");
  for (const [group, operations] of groups) {
    page.append(element("section", {}, element("h2", { textContent: group }), ...operations));
  }
}

function filter(words) {
  for (const operation of document.querySelectorAll("details")) {
    operation.hidden = !operation.dataset.words.includes(words.toLowerCase());
  }
  for (const section of document.querySelectorAll("section")) {
    section.hidden = ![...section.querySelectorAll("details")].some((operation) => !operation.hidden);
  }
}

document.getElementById("filter").addEventListener("input", (event) => filter(event.target.value));
fetch("/v1/openapi.json")
  .then((answer) => answer.json())
  .then(draw)
  .catch((error) => { document.getElementById("about").textContent = `The description could not be read: ${error}`; });
