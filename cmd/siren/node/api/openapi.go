package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/seed58c87869/siren/cmd/siren/node/problem"
)

// schema is a part of the description, as JSON. OpenAPI 3.1 uses JSON Schema 2020-12.
type schema map[string]any

func ref(name string) schema { return schema{"$ref": "#/components/schemas/" + name} }

// object is the schema of an object that has all of these members, and no others.
func object(members schema) schema {
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	return schema{"type": "object", "properties": members, "required": names, "additionalProperties": false}
}

func listOf(items schema) schema { return schema{"type": "array", "items": items} }

// table is the schema of an object with any names.
func table(values schema) schema { return schema{"type": "object", "additionalProperties": values} }

// The schemas that stand for one kind of value each. They are functions, as schemas are maps.
func textSchema() schema   { return schema{"type": "string"} }
func countSchema() schema  { return schema{"type": "integer", "minimum": 0} }
func numberSchema() schema { return schema{"type": "number", "minimum": 0} }
func flagSchema() schema   { return schema{"type": "boolean"} }
func timeSchema() schema   { return schema{"type": "string", "format": "date-time"} }

// answers are the schemas of the calls' answers, and of what they are made of.
func answers() schema {
	rates := schema{}
	for i := range series {
		rates[series[i].name] = numberSchema()
	}
	perWindow := schema{}
	for _, w := range windows {
		perWindow[w.name] = ref("Rates")
	}
	return schema{
		"Emitted": object(schema{"count": countSchema(), "exact": flagSchema()}),
		"EmittedBatch": object(schema{"results": listOf(schema{"oneOf": []schema{
			object(schema{"count": countSchema()}), object(schema{"error": ref("PartProblem")}),
		}})}),
		"Replies": object(schema{
			"replies": listOf(object(schema{"socket": textSchema(), "args": schema{"type": "array"}})), "missing": countSchema(),
		}),
		"Counted": object(schema{"count": countSchema()}),
		"Count":   object(schema{"sockets": countSchema()}),
		"Sockets": perhapsPartial(object(schema{"sockets": listOf(ref("Socket")), "cursor": textSchema()})),
		"Socket": object(schema{
			"id": textSchema(), "rooms": listOf(textSchema()), "user": textSchema(), "data": schema{}, "address": textSchema(),
			"transport": schema{"enum": []string{"polling", "websocket"}}, "connected_at": timeSchema(),
		}),
		"Rooms": perhapsPartial(object(schema{
			"rooms": listOf(object(schema{"name": textSchema(), "sockets": countSchema()})), "cursor": textSchema(),
		})),
		"Rates": object(rates),
		"Stats": statsSchema(perWindow), "StatsRow": rowSchema(rates),
		"Drained": object(schema{
			"draining": flagSchema(), "sessions": countSchema(), "timeout_ms": countSchema(), "spread_ms": countSchema(),
		}),
		"Reloaded":    object(schema{"changed": listOf(textSchema()), "restart": listOf(textSchema()), "overridden": listOf(textSchema())}),
		"PartProblem": problemSchema(false),
		"Problem":     problemSchema(true),
	}
}

// statsSchema is the schema of the answer of stats.
func statsSchema(perWindow schema) schema {
	s := object(schema{
		"version": textSchema(), "go": textSchema(), "node": textSchema(), "started_at": timeSchema(),
		"uptime_seconds": numberSchema(), "draining": flagSchema(),
		"connections": object(schema{"websocket": countSchema(), "polling": countSchema()}),
		"sockets":     table(countSchema()), "rooms": table(countSchema()), "rates": object(perWindow),
		"dropped": table(countSchema()), "refused": table(countSchema()),
		"loops": listOf(object(schema{
			"loop": countSchema(), "lag_seconds": numberSchema(), "mailbox": countSchema(), "connections": countSchema(),
		})),
		"memory_bytes": countSchema(),
		"top_rooms":    listOf(object(schema{"namespace": textSchema(), "name": textSchema(), "sockets": countSchema()})),
	})
	s["properties"].(schema)["history"] = schema{
		"type": "array", "maxItems": historyRows, "items": ref("StatsRow"),
		"description": "A row for each of the last seconds, the oldest first. Only when history was asked for.",
	}
	return perhapsPartial(s)
}

// perhapsPartial adds the member partial to the schema of an answer.
func perhapsPartial(s schema) schema {
	s["properties"].(schema)["partial"] = schema{
		"const": true, "description": "There only during a restart, while an older process has clients that are not in the answer.",
	}
	return s
}

// rowSchema is the schema of a row of the history: the rates of its second, and the numbers at its end.
func rowSchema(rates schema) schema {
	row := schema{
		"time": timeSchema(), "websocket": countSchema(), "polling": countSchema(), "dropped": numberSchema(),
		"refused": numberSchema(), "lag_seconds": numberSchema(), "mailbox": countSchema(), "memory_bytes": countSchema(),
	}
	maps.Copy(row, rates)
	return object(row)
}

// problemSchema is the schema of a problem; one that is not a part of an answer has a type.
func problemSchema(whole bool) schema {
	codes := problem.Codes()
	slices.Sort(codes)
	members := schema{
		"title": textSchema(), "status": schema{"type": "integer", "minimum": 400, "maximum": 599}, "detail": textSchema(),
		"code": schema{"enum": codes},
	}
	if whole {
		members["type"] = schema{"type": "string", "format": "uri"}
	}
	s := object(members)
	members["field"] = schema{"type": "string", "description": `Path of the field that is wrong, such as "emits[3].rooms[0]".`}
	if whole {
		members["errors"] = listOf(object(schema{"line": countSchema(), "key": textSchema(), "message": textSchema()}))
	}
	return s
}

// requestSchema is the schema of a call's body.
func requestSchema(c *call) schema {
	members, required := schema{}, []string{}
	for f := range c.fields.all {
		spec := &fieldSpecs[f]
		s := schema{"description": spec.about}
		for k, v := range spec.schema {
			s[k] = v
		}
		switch {
		case f == fieldLimit && c.name != "call":
			s["maximum"], s["default"] = limitMax, limitDefault
		case f == fieldTimeout && c.name == "call":
			s["maximum"], s["default"] = timeoutMax, timeoutDefault
		case f == fieldTimeout:
			s["maximum"] = drainMax
		}
		members[spec.name] = s
		if c.required.has(f) {
			required = append(required, spec.name)
		}
	}
	s := schema{"type": "object", "properties": members, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// problemsOf are the statuses of problems that a call may answer with, and their codes.
func problemsOf(c *call) map[int][]problem.Code {
	codes := []problem.Code{
		problem.BadJSON, problem.BadField, problem.BadRequest, problem.Unauthorized, problem.Forbidden, problem.NotFound,
		problem.MethodNotAllowed, problem.RequestTimeout, problem.TooLarge, problem.UnsupportedMediaType, problem.RateLimited,
		problem.HeadTooLarge, problem.Internal, problem.Overloaded, problem.Draining, problem.Cluster,
	}
	if c.fields.has(fieldNamespace) {
		codes = append(codes, problem.UnknownNamespace)
	}
	if c.fields.has(fieldEvent) {
		codes = append(codes, problem.ReservedEvent)
	}
	if c.idempotent {
		codes = append(codes, problem.IdempotencyInProgress, problem.IdempotencyConflict)
	}
	if c.name == "reload" {
		codes = append(codes, problem.BadConfig)
	}
	out := map[int][]problem.Code{}
	for _, code := range codes {
		out[code.Status()] = append(out[code.Status()], code)
	}
	return out
}

// operation describes one method of a call.
func operation(c *call, body bool) schema {
	responses := schema{"200": schema{
		"description": "Done.", "content": schema{"application/json": schema{"schema": ref(c.answer)}},
	}}
	if c.idempotent {
		responses["200"].(schema)["headers"] = schema{"Idempotent-Replayed": schema{
			"description": "true when it is the answer of an earlier request with this Idempotency-Key.",
			"schema":      schema{"enum": []string{"true"}},
		}}
	}
	for status, codes := range problemsOf(c) {
		slices.Sort(codes)
		responses[strconv.Itoa(status)] = schema{
			"description": fmt.Sprint(codes), "content": schema{problem.ContentType: schema{"schema": ref("Problem")}},
		}
	}
	id := c.name
	if !body {
		id += "-get"
	}
	op := schema{"operationId": id, "summary": c.about, "responses": responses}
	if body {
		s := requestSchema(c)
		if c.requestName != "" {
			s = ref(c.requestName)
		}
		op["requestBody"] = schema{"required": true, "content": schema{"application/json": schema{"schema": s}}}
	}
	if c.idempotent {
		op["parameters"] = []schema{{
			"name": "Idempotency-Key", "in": "header", "required": false,
			"description": "With the same key and body, the answer of the first request is given again for 5 minutes.",
			"schema":      schema{"type": "string", "minLength": 1, "maxLength": idempotencyKeyMax},
		}}
	}
	return op
}

// Describe returns the description of the API as OpenAPI 3.1, in JSON. All calls are described, also those that this node
// does not have.
func Describe(version string) []byte {
	if version == "" {
		version = "0"
	}
	schemas, paths := answers(), schema{}
	for i := range callTable {
		c := &callTable[i]
		if c.requestName != "" {
			schemas[c.requestName] = requestSchema(c)
		}
		path := schema{"post": operation(c, true)}
		if c.get {
			path["get"] = operation(c, false)
		}
		paths[pathOf(c.name)] = path
	}
	doc := schema{
		"openapi": "3.1.0",
		"info": schema{
			"title": "Siren", "version": version,
			"description": "What a backend sends to the broadcast node. Numbers in events keep their precision.",
		},
		"paths": paths,
		"components": schema{
			"schemas": schemas,
			"securitySchemes": schema{
				"bearer": schema{"type": "http", "scheme": "bearer"},
				"key":    schema{"type": "apiKey", "in": "header", "name": "X-API-Key"},
			},
		},
		"security": []schema{{"bearer": []string{}}, {"key": []string{}}, {}},
	}
	out, err := json.MarshalIndent(doc, "", "  ") // keys are sorted: the text is the same each time
	if err != nil {
		panic(err) // a mistake in the tables above
	}
	return out
}
