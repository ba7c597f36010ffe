package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed58c87869/siren/bench"
	"github.com/seed58c87869/siren/bench/report"
)

// outputs are the forms in which a run writes its result, besides the table.
type outputs struct {
	json, html, junit, openMetrics string
}

// flags adds the flags of the outputs.
func (o *outputs) flags(flags *pflag.FlagSet) {
	flags.StringVar(&o.json, "json", "", "also write the result to this file, - for standard output in place of the table")
	flags.StringVar(&o.html, "html", "", "also write a page with plots to this file")
	flags.StringVar(&o.junit, "junit", "", "also write the checks to this file as JUnit XML, for continuous integration")
	flags.StringVar(&o.openMetrics, "openmetrics", "", "also write the figures to this file as OpenMetrics text, for Prometheus")
}

// write writes the result in all forms; table writes it for people. The error says nothing if the result itself says what is wrong.
func (o *outputs) write(cmd *cobra.Command, result *bench.Result, table func(io.Writer) error) error {
	out := cmd.OutOrStdout()
	if o.json != standardStream {
		if err := table(out); err != nil {
			return err
		}
	}
	if o.json != "" {
		if err := writeJSON(o.json, out, result); err != nil {
			return err
		}
	}
	for _, form := range []struct {
		file  string
		write func(io.Writer, []bench.Result) error
	}{{o.html, report.WriteHTML}, {o.junit, report.WriteJUnit}, {o.openMetrics, report.WriteOpenMetrics}} {
		if form.file == "" {
			continue
		}
		if err := writeForm(form.file, out, form.write, []bench.Result{*result}); err != nil {
			return err
		}
	}
	if !result.OK {
		return errReported
	}
	return nil
}

// writeForm writes results in one form to a file, or to out when the name is "-". A form that cannot be made does not
// replace the file.
func writeForm(name string, out io.Writer, form func(io.Writer, []bench.Result) error, results []bench.Result) error {
	var text bytes.Buffer
	if err := form(&text, results); err != nil {
		return err
	}
	if name == standardStream {
		_, err := out.Write(text.Bytes())
		return err
	}
	return os.WriteFile(name, text.Bytes(), 0o644)
}

// writeJSON writes the result to a file, or to out when the name is "-".
func writeJSON(name string, out io.Writer, result *bench.Result) error {
	text, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if name == standardStream {
		_, err = out.Write(text)
		return err
	}
	return os.WriteFile(name, text, 0o644)
}
