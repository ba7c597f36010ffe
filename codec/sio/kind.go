package sio

import (
	"encoding"
	stdjson "encoding/json"
	"reflect"
	"sync"

	"github.com/go-json-experiment/json"
)

// typeKind says how much of the JSON library a Go type needs. It is a property of the
// type and computed once. Types without attachments and unknown parts are encoded
// without our functions, which the library would otherwise look up for every value.
type typeKind uint8

const (
	plainType   typeKind = iota // holds no attachment, whatever its values are
	specialType                 // may hold []byte, Raw, any or json.Number
	namedType                   // may hold byte slices of other types as well
	typeKinds
)

var (
	bytesType  = reflect.TypeFor[[]byte]()
	rawType    = reflect.TypeFor[Raw]()
	anyType    = reflect.TypeFor[any]()
	numberType = reflect.TypeFor[stdjson.Number]()

	encodeMethods = []reflect.Type{
		reflect.TypeFor[json.MarshalerTo](), reflect.TypeFor[stdjson.Marshaler](), reflect.TypeFor[encoding.TextMarshaler](),
	}
	decodeMethods = []reflect.Type{
		reflect.TypeFor[json.UnmarshalerFrom](), reflect.TypeFor[stdjson.Unmarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](),
	}

	encodeKinds, decodeKinds sync.Map // reflect.Type to typeKind
)

func encodeKind(t reflect.Type) typeKind { return cachedKind(&encodeKinds, t, encodeMethodKind) }
func decodeKind(t reflect.Type) typeKind { return cachedKind(&decodeKinds, t, decodeMethodKind) }

// methodKind returns the kind of a type with JSON methods. ok is false if it has none,
// so that its parts decide.
type methodKind func(reflect.Type) (k typeKind, ok bool)

func cachedKind(cache *sync.Map, t reflect.Type, methods methodKind) typeKind {
	if k, ok := cache.Load(t); ok {
		return k.(typeKind)
	}
	k := kindOf(t, methods, make(map[reflect.Type]bool))
	cache.Store(t, k)
	return k
}

// kindOf visits every type that a value of type t can contain.
func kindOf(t reflect.Type, methods methodKind, seen map[reflect.Type]bool) typeKind {
	switch {
	case seen[t]:
		return plainType // counted where it was met first
	case t == bytesType || t == rawType || t == anyType || t == numberType:
		return specialType
	}
	seen[t] = true
	if k, ok := methods(t); ok {
		return k
	}
	switch t.Kind() {
	case reflect.Interface:
		return namedType
	case reflect.Slice:
		if isByteSlice(t) {
			return namedType
		}
		return kindOf(t.Elem(), methods, seen)
	case reflect.Array, reflect.Pointer, reflect.Map:
		return kindOf(t.Elem(), methods, seen)
	case reflect.Struct:
		k := plainType
		for f := range t.Fields() {
			if (f.IsExported() || f.Anonymous) && f.Tag.Get("json") != "-" {
				k = max(k, kindOf(f.Type, methods, seen))
			}
		}
		return k
	}
	return plainType
}

// isByteSlice reports whether encoding/json would treat t as binary data.
func isByteSlice(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 &&
		!marshalsItself(t.Elem()) && !unmarshalsItself(t.Elem())
}

// encodeMethodKind considers the methods of values of type t. Methods with pointer
// receivers do not count, because they do not apply to values that are not addressable.
func encodeMethodKind(t reflect.Type) (typeKind, bool) {
	if t.Kind() == reflect.Interface || !implementsAny(t, encodeMethods) {
		return plainType, false
	}
	if t.Implements(encodeMethods[0]) {
		return namedType, true // it may hand anything back to the library
	}
	return plainType, true
}

func decodeMethodKind(t reflect.Type) (typeKind, bool) {
	if !unmarshalsItself(t) {
		return plainType, false
	}
	if reflect.PointerTo(t).Implements(decodeMethods[0]) {
		return namedType, true
	}
	return plainType, true
}

// marshalsItself reports whether values of type t, or pointers to them, have a marshal
// method.
func marshalsItself(t reflect.Type) bool {
	return implementsAny(t, encodeMethods) || implementsAny(reflect.PointerTo(t), encodeMethods)
}

func unmarshalsItself(t reflect.Type) bool {
	return t.Kind() != reflect.Interface && implementsAny(reflect.PointerTo(t), decodeMethods)
}

func implementsAny(t reflect.Type, methods []reflect.Type) bool {
	for _, m := range methods {
		if t.Implements(m) {
			return true
		}
	}
	return false
}
