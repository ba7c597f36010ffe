package profile

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"path/filepath"
	"slices"
)

// table is a CSV file. Immutable; the zero value has no columns.
type table struct {
	columns []string
	rows    [][]string
}

// resolve returns the path of a file that the profile names.
func (p *Profile) resolve(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(p.dir, name)
}

// readTable reads a CSV file with a header line.
func readTable(name string) (table, error) {
	text, err := readFile(name, dataMax)
	if err != nil {
		return table{}, err
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	switch {
	case err != nil:
		return table{}, fmt.Errorf("%s: %w", name, err)
	case len(rows) < 2:
		return table{}, fmt.Errorf("%s: want a line with the names of the columns, and a line for each user", name)
	}
	t := table{columns: rows[0], rows: rows[1:]}
	for i, column := range t.columns {
		if column == "" || slices.Contains(t.columns[:i], column) {
			return table{}, fmt.Errorf("%s:1: the column %q is there twice, or has no name", name, column)
		}
	}
	return t, nil
}

// row returns the values of a user; after the last line the first one follows.
func (t table) row(user int) map[string]string {
	if len(t.rows) == 0 {
		return nil
	}
	row := make(map[string]string, len(t.columns))
	for i, value := range t.rows[user%len(t.rows)] {
		row[t.columns[i]] = value
	}
	return row
}
