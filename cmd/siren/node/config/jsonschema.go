package config

import (
	"encoding/json"
	"strconv"
)

// durationPattern is what time.ParseDuration takes, without a sign.
const durationPattern = `^(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))+$`

// JSONSchema is the JSON Schema (draft 2020-12) of the file.
func JSONSchema() []byte {
	def := Default()
	s := theSchema().root.jsonSchema(&def)
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Configuration of a Siren node"
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic(err) // maps, lists, texts and numbers only
	}
	return append(text, '\n')
}

// jsonSchema describes a section, which may also be empty.
func (sec *Section) jsonSchema(def *Config) map[string]any {
	properties := map[string]any{}
	for name, k := range sec.keys {
		p := k.jsonSchema()
		switch v := k.in(def).Interface(); k.kind {
		case duration, secretFile:
			text, err := strconv.Unquote(k.format(v, true))
			if err != nil {
				text = k.format(v, true)
			}
			p["default"] = text
		case list:
			p["default"] = append([]string{}, v.([]string)...)
		case rules:
		default:
			p["default"] = v
		}
		properties[name] = p
	}
	for name, sub := range sec.sections {
		properties[name] = sub.jsonSchema(def)
	}
	out := map[string]any{"type": []string{"object", "null"}, "additionalProperties": false, "properties": properties}
	if sec.Doc != "" {
		out["description"] = sec.Doc
	}
	return out
}

// jsonSchema describes a value of the key.
func (k *Key) jsonSchema() map[string]any {
	out := map[string]any{"description": sampleDoc(k)}
	switch k.kind {
	case toggle:
		out["type"] = "boolean"
	case whole:
		out["type"] = "integer"
		for word, bound := range map[string]string{"minimum": k.min, "maximum": k.max} {
			if n, err := strconv.ParseInt(bound, 10, 64); err == nil {
				out[word] = n
			}
		}
	case duration:
		out["type"], out["pattern"] = "string", durationPattern
	case list:
		item := map[string]any{"type": "string"}
		if len(k.enum) > 0 {
			item["enum"] = k.enum
		}
		out["type"], out["items"] = "array", item
		if k.min != "" {
			out["minItems"] = 1
		}
	case rules:
		properties := map[string]any{}
		for _, item := range k.items {
			properties[item.Name] = item.jsonSchema()
		}
		one := []any{map[string]any{"required": []string{"name"}}, map[string]any{"required": []string{"pattern"}}}
		out["type"], out["minItems"] = "array", 1
		out["items"] = map[string]any{
			"type": "object", "additionalProperties": false, "properties": properties, "oneOf": one,
		}
	default:
		out["type"] = "string"
		if len(k.enum) > 0 {
			out["enum"] = k.enum
		}
	}
	return out
}
