package main

import (
	"archive/tar"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// entry is one file of an archive. Immutable.
type entry struct {
	from, name string
	mode       int64
}

// walk returns the files below a directory, in the order of their names, for a directory of that name in an archive.
func walk(dir, name string) (entries []entry, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		entries = append(entries, entry{from: path, name: filepath.ToSlash(filepath.Join(name, rel)), mode: 0o644})
		return nil
	})
	return entries, err
}

// writeArchive writes a compressed archive that depends on nothing but the files' contents and the time.
func writeArchive(file string, entries []entry, when time.Time) (err error) {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() {
		if failed := out.Close(); err == nil {
			err = failed
		}
	}()
	zip, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(zip)
	for _, e := range entries {
		if err := add(archive, e, when); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return zip.Close()
}

// add adds one file, which belongs to root.
func add(archive *tar.Writer, e entry, when time.Time) error {
	in, err := os.Open(e.from)
	if err != nil {
		return err
	}
	defer in.Close()
	stat, err := in.Stat()
	if err != nil {
		return err
	}
	head := &tar.Header{Name: e.name, Mode: e.mode, Size: stat.Size(), ModTime: when, Uname: "root", Gname: "root", Format: tar.FormatPAX}
	if err := archive.WriteHeader(head); err != nil {
		return err
	}
	_, err = io.Copy(archive, in)
	return err
}
