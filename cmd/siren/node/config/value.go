package config

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// notYet is what a key says that this version knows and cannot do.
const notYet = "is not supported yet by this version; leave it out"

// setText sets a field of any kind but list and rules from text; the error is a message for the key.
func (k *Key) setText(field reflect.Value, value string) error {
	switch k.kind {
	case toggle:
		on, err := parseToggle(value)
		if err != nil {
			return err
		}
		field.SetBool(on)
	case whole:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return fmt.Errorf("must be a whole number%s, not %q", k.between(), value)
		}
		if err := k.within(n, func(bound string) int64 { b, _ := strconv.ParseInt(bound, 10, 64); return b }); err != nil {
			return err
		}
		field.SetInt(n)
	case duration:
		d, err := time.ParseDuration(value)
		if err != nil {
			return fmt.Errorf("must be a duration such as 500ms, 25s or 2m, not %q", value)
		}
		if err := k.within(int64(d), func(bound string) int64 { b, _ := time.ParseDuration(bound); return int64(b) }); err != nil {
			return err
		}
		field.SetInt(int64(d))
	case secretFile:
		f := SecretFile{Path: value}
		if value != "" {
			if err := f.read(); err != nil {
				return fmt.Errorf("cannot be read: %w", err)
			}
		}
		field.Set(reflect.ValueOf(f))
	default:
		if err := k.check(value); err != nil {
			return err
		}
		field.SetString(value)
	}
	return nil
}

// parseToggle takes what YAML 1.2 and the environment write.
func parseToggle(value string) (bool, error) {
	switch strings.ToLower(value) {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, fmt.Errorf("must be true or false, not %q", value)
}

// within checks a number or duration against the bounds of the key.
func (k *Key) within(n int64, parse func(bound string) int64) error {
	low, high := k.min != "" && n < parse(k.min), k.max != "" && n > parse(k.max)
	switch {
	case !low && !high:
		return nil
	case low && k.max == "" && parse(k.min) == 0:
		return errors.New("must not be negative")
	}
	return errors.New("must be" + k.between())
}

// between names the bounds of a number.
func (k *Key) between() string {
	switch {
	case k.min != "" && k.max != "":
		return fmt.Sprintf(" between %s and %s", k.min, k.max)
	case k.min != "":
		return " at least " + k.min
	}
	return ""
}

// check checks a text, or one item of a list, against the rule or the allowed words of the key.
func (k *Key) check(value string) error {
	if len(k.enum) > 0 {
		for _, word := range k.enum {
			if value == word {
				return nil
			}
		}
		return fmt.Errorf("must be one of %s, not %q", strings.Join(k.enum, ", "), value)
	}
	if rule := textRules[k.rule]; rule != nil {
		return rule(value)
	}
	return nil
}

// setList sets a list; the errors are messages, with the number of the item, or -1 for the list as a whole.
func (k *Key) setList(field reflect.Value, items []string) (faults []fault) {
	for i, item := range items {
		if err := k.check(item); err != nil {
			faults = append(faults, fault{i, err.Error()})
		}
	}
	if len(items) == 0 && k.min != "" {
		faults = append(faults, fault{-1, "must not be empty; leave it out for the default"})
	}
	if len(faults) == 0 {
		field.Set(reflect.ValueOf(items))
	}
	return faults
}

// fault is an error of one item of a list.
type fault struct {
	item    int
	message string
}
