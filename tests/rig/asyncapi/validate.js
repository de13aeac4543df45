// What AsyncAPI's own parser says of the document on standard input, as one JSON list.
"use strict";
const { Parser } = require("@asyncapi/parser");

(async () => {
  const text = require("fs").readFileSync(0, "utf8");
  const { document, diagnostics } = await new Parser().parse(text);
  const said = diagnostics.map(({ severity, code, path, message }) => ({
    severity, // 0 an error, 1 a warning, 2 a piece of information, 3 a hint
    code,
    place: path.join("/"),
    message,
  }));
  if (!document) said.push({ severity: 0, code: "unread", place: "", message: "no document" });
  process.stdout.write(JSON.stringify(said));
})();
