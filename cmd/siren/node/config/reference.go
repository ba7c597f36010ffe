package config

import (
	"fmt"
	"strings"
)

const referenceHead = `# Configuration of a node

This page is made from the code by ` + "`siren config reference`" + `; the comments of the struct in
` + "`cmd/siren/node/config/config.go`" + ` are its text.

A node needs no configuration. What is set comes from, in this order of precedence:

1. **Flags** of ` + "`siren serve`" + `, for the keys that have one.
2. **The environment**: ` + "`SIREN_`" + ` and the key in capitals, with two underscores between levels, as
   ` + "`SIREN_ADMIN__LISTEN`" + ` for ` + "`admin.listen`" + `. Lists have commas between their items, or are YAML in brackets:
   ` + "`SIREN_LISTEN='[\"tcp://:3000\"]'`" + `. Unknown variables with that prefix are a warning in the log.
3. **The file** of ` + "`--config`" + `: YAML, of which JSON is a part.
4. **Defaults**.

| command | what it does |
|---|---|
| ` + "`siren config init`" + ` | writes a commented file with all keys and their defaults |
| ` + "`siren config check FILE`" + ` | tells every error, with file, line, key and the allowed values; the exit code is 1 if there is one |
| ` + "`siren config show --config FILE`" + ` | tells what is in force and where each value comes from; it takes the flags of ` + "`serve`" + ` too |
| ` + "`siren config schema`" + ` | writes the JSON Schema, for editors |
| ` + "`siren config reference`" + ` | writes this page |

SIGHUP, or ` + "`POST /api/reload`" + `, reads file and secrets again. Keys with a tick under *reload* change in the running node;
others are named in the log and the answer, and hold after a restart. A file with an error changes nothing. What a flag
or the environment sets stays. Without ` + "`--config`" + ` SIGHUP ends the node, as SIGTERM does.

Durations are written as ` + "`500ms`, `25s` or `2m`" + `. Sizes are bytes. Secrets are lists, for rotation: the first one signs, all
are accepted. A key that this version knows and does not support yet may have its default only.
`

// Reference is the reference page, in Markdown.
func Reference() string {
	var out strings.Builder
	out.WriteString(referenceHead)
	def := Default()
	writeReference(&out, theSchema().root, &def)
	return out.String()
}

func writeReference(out *strings.Builder, sec *Section, def *Config) {
	title, doc := "The node", "The keys at the top."
	if sec.Name != "" {
		title, doc = "`"+sec.Name+"`", sec.Doc
	}
	fmt.Fprintf(out, "\n## %s\n\n%s\n", title, doc)
	if len(sec.keys) > 0 {
		out.WriteString("\n| key | default | what it is | flag | reload |\n|---|---|---|---|---|\n")
	}
	for _, name := range sec.order {
		if k := sec.keys[name]; k != nil {
			fmt.Fprintf(out, "| `%s` | `%s` | %s | %s | %s |\n", k.Name, cell(k.format(k.in(def).Interface(), true)),
				cell(referenceDoc(k)), flagCell(k), tick(k.Live))
		}
	}
	for _, name := range sec.order {
		if k := sec.keys[name]; k != nil && k.kind == rules {
			writeRules(out, k)
		}
		if sub := sec.sections[name]; sub != nil {
			writeReference(out, sub, def)
		}
	}
}

// writeRules describes the keys of a rule.
func writeRules(out *strings.Builder, k *Key) {
	fmt.Fprintf(out, "\n## `%s[]`\n\nThe keys of one rule.\n", k.Name)
	out.WriteString("\n| key | type | what it is |\n|---|---|---|\n")
	for _, item := range k.items {
		fmt.Fprintf(out, "| `%s` | %s | %s |\n", item.Name, item.kindName(), cell(item.Doc))
	}
}

// referenceDoc is the text of a key with what it may be.
func referenceDoc(k *Key) string {
	doc := k.Doc
	switch {
	case len(k.enum) > 0:
		doc += " Allowed: " + strings.Join(k.enum, ", ") + "."
	case k.kind == whole || k.kind == duration:
		if bounds := k.between(); bounds != "" {
			doc += " Allowed:" + bounds + "."
		}
	}
	return doc
}

func flagCell(k *Key) string {
	if k.Flag == "" {
		return ""
	}
	return "`--" + k.Flag + "`"
}

func tick(on bool) string {
	if on {
		return "✓"
	}
	return ""
}

// cell makes text fit into a cell of a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
