/** The published JSON Schema, made from the shapes. */
import { CODE } from "../ir/codes.ts";
import { type Kind, type Prop, SHAPES } from "./shapes.ts";

type Schema = Record<string, unknown>;

const HEX = { type: "string", pattern: "^0x[0-9a-fA-F]{1,13}$" };

/** JSON Schema (draft 2020-12) of native documents. */
export function jsonSchema(): Record<string, unknown> {
  const defs: Record<string, Schema> = {};
  for (const [name, shape] of Object.entries(SHAPES)) {
    if (name === "any") {
      defs[name] = { type: "object" };
      continue;
    }
    const properties: Record<string, Schema> = {};
    for (const [property, spec] of Object.entries(shape)) properties[property] = propertySchema(spec);
    const required = Object.entries(shape)
      .filter(([, spec]) => spec.required === true)
      .map(([property]) => property);
    defs[name] = {
      type: "object",
      additionalProperties: false,
      properties,
      ...(required.length === 0 ? {} : { required }),
    };
  }
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Common Parser Representation, version 1",
    $ref: "#/$defs/document",
    $defs: defs,
  };
}

function propertySchema(spec: Prop): Schema {
  return {
    description: spec.doc,
    ...kindSchema(spec.kind),
    ...(spec.default === undefined ? {} : { default: spec.default }),
  };
}

function kindSchema(kind: Kind): Schema {
  switch (kind.t) {
    case "int":
      return kind.min === kind.max
        ? { const: kind.min }
        : { anyOf: [{ type: "integer", minimum: kind.min, maximum: kind.max }, HEX] };
    case "bool":
      return { type: "boolean" };
    case "text":
      return { type: "string", minLength: 1, maxLength: 256 };
    case "texts":
      return { type: "array", items: { type: "string", minLength: 1, maxLength: 256 } };
    case "word":
      return { enum: [...kind.of] };
    case "code":
      return {
        anyOf: [
          { enum: Object.values(CODE) },
          { enum: Object.keys(CODE).map((c) => c.toLowerCase()) },
          { enum: ["continue", "stop_node", "stop_sub"] },
        ],
      };
    case "object":
      return { $ref: `#/$defs/${kind.shape}` };
    case "list":
      return { type: "array", items: { $ref: `#/$defs/${kind.shape}` } };
    case "either":
      return { anyOf: kind.of.map(kindSchema) };
  }
}
