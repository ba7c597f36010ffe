package config

import (
	"fmt"
	"strings"
)

const sampleHead = `# The configuration of a Siren node: every key with its default. A key that is left out has its default too.
#
#   siren serve --config FILE        runs a node with it; SIGHUP reads it again
#   siren config check FILE          tells every error in it
#   siren config show --config FILE  tells what is in force, and where it comes from
#
# The environment goes before the file (SIREN_ADMIN__LISTEN is admin.listen), and flags go before the environment.
`

// Sample is a commented file with all keys and their defaults.
func Sample() string {
	var out strings.Builder
	out.WriteString(sampleHead)
	def := Default()
	writeSample(&out, theSchema().root, &def, "")
	return out.String()
}

// writeSample writes a section. Sections of the root have a blank line in front.
func writeSample(out *strings.Builder, sec *Section, def *Config, indent string) {
	for _, name := range sec.order {
		if indent == "" {
			out.WriteString("\n")
		}
		if sub := sec.sections[name]; sub != nil {
			writeComment(out, sub.Doc, indent)
			fmt.Fprintf(out, "%s%s:\n", indent, name)
			writeSample(out, sub, def, indent+"  ")
			continue
		}
		k := sec.keys[name]
		writeComment(out, sampleDoc(k), indent)
		if k.kind == rules {
			fmt.Fprintf(out, "%s%s:\n", indent, name)
			for _, item := range k.items {
				writeComment(out, item.Name+": "+item.Doc, indent+"  ")
			}
			for _, rule := range def.Namespaces {
				fmt.Fprintf(out, "%s  - %s\n", indent, rule.format())
			}
			continue
		}
		fmt.Fprintf(out, "%s%s: %s\n", indent, name, k.format(k.in(def).Interface(), true))
	}
}

// sampleDoc is the text of a key with what it may be.
func sampleDoc(k *Key) string {
	doc := k.Doc
	if len(k.enum) > 0 && k.rule == "" {
		doc += " (" + strings.Join(k.enum, ", ") + ")"
	}
	return doc
}

// commentWidth is the width of a line of comment.
const commentWidth = 100

func writeComment(out *strings.Builder, text, indent string) {
	line := indent + "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > commentWidth {
			out.WriteString(line + "\n")
			line = indent + "#"
		}
		line += " " + word
	}
	out.WriteString(line + "\n")
}
