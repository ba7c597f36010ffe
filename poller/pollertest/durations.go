package pollertest

import (
	"reflect"
	"time"
)

// Durations returns the durations in the struct that config points to, by name, such as "Recovery.MaxDisconnection".
// Tests that must cover every such setting iterate over them, so that a new setting is covered automatically.
func Durations(config any) map[string]*time.Duration {
	found := map[string]*time.Duration{}
	collect(reflect.ValueOf(config).Elem(), "", found)
	return found
}

func collect(v reflect.Value, prefix string, found map[string]*time.Duration) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		if d, ok := v.Field(i).Addr().Interface().(*time.Duration); ok {
			found[prefix+field.Name] = d
		} else if field.Type.Kind() == reflect.Struct {
			collect(v.Field(i), prefix+field.Name+".", found)
		}
	}
}
