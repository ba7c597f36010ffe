package httpwire

// AppendPacked appends head to dst in a compact form that AppendUnpacked reverses. It is for heads that are kept:
// common phrases of clients' requests, such as field names, take one byte each. The heads of usual clients shrink to a
// third; the worst input, which no real head contains, doubles.
//
// The form is not for storing or sending: it may change with any version.
func AppendPacked(dst, head []byte) []byte {
	for len(head) > 0 {
		if code, n := longestPhrase(head); n > 0 {
			dst = append(dst, code)
			head = head[n:]
			continue
		}
		if head[0] >= phraseFirst {
			dst = append(dst, packEscape)
		}
		dst = append(dst, head[0])
		head = head[1:]
	}
	return dst
}

// AppendUnpacked appends the input of AppendPacked to dst. For other input the result is undefined, with at most
// phraseMax bytes for each byte of packed.
func AppendUnpacked(dst []byte, packed string) []byte {
	for i := 0; i < len(packed); i++ {
		switch b := packed[i]; {
		case b == packEscape:
			if i++; i < len(packed) {
				dst = append(dst, packed[i])
			}
		case b >= phraseFirst:
			if at := int(b - phraseFirst); at < len(phrases) {
				dst = append(dst, phrases[at]...)
			}
		default:
			dst = append(dst, b)
		}
	}
	return dst
}

const (
	// phraseFirst is the code of the first phrase. Heads are ASCII, so codes from here on are unused except for
	// obs-text (RFC 9110 section 5.5), which is escaped.
	phraseFirst = 0x80
	// packEscape precedes a byte that is not a code.
	packEscape = 0xff
	// phraseMax bounds the length of a phrase.
	phraseMax = 104
)

// phrases are common phrases in the heads of opening requests, by browsers, by the HTTP libraries of official clients
// and by proxies. Their index is their code; the order is otherwise irrelevant.
var phrases = [...]string{
	"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n", "GET /socket.io/?EIO=4&transport=polling",
	"GET /", "socket.io/?", "engine.io/?", "EIO=4&transport=", "EIO=3&transport=", "websocket", "polling", "&t=", "&sid=",
	"&b64=1", " HTTP/1.1\r\n", "\r\n\r\n", "\r\n", ": ", "https://", "http://", "localhost", "127.0.0.1", ".com", ", ", "; ",
	"Host: ", "Host: localhost:", "Host: 127.0.0.1:", "\r\nOrigin: https://", "\r\nOrigin: http://", "\r\nReferer: https://",
	"\r\nReferer: http://", "\r\nCookie: ",
	"Upgrade: websocket\r\n", "Connection: Upgrade\r\n", "Connection: keep-alive\r\n", "Connection: close\r\n",
	"Connection: keep-alive, Upgrade\r\n", "Connection: upgrade\r\n",
	"Sec-WebSocket-Version: 13\r\n", "Sec-WebSocket-Key: ", "==\r\n", "Sec-WebSocket-Protocol: ",
	"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", "Sec-WebSocket-Extensions: permessage-deflate",
	"Pragma: no-cache\r\n", "Cache-Control: no-cache\r\n", "Accept: */*\r\n", "Accept: ", "Accept-Encoding: gzip, deflate, br, zstd\r\n",
	"Accept-Encoding: gzip, deflate, br\r\n", "Accept-Encoding: gzip, deflate\r\n", "Accept-Encoding: ",
	"Accept-Language: en-US,en;q=0.9", "Accept-Language: en-US,en;q=0.5", "Accept-Language: ", ";q=0.9", ";q=0.8", ";q=0.7", ";q=0.5",
	"User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/",
	"User-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/", "User-Agent: Mozilla/5.0 (X11; Linux x86_64",
	"User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS ", "User-Agent: Mozilla/5.0 (Linux; Android ", "User-Agent: Mozilla/5.0 (",
	"User-Agent: ", "Mozilla/5.0 (", "Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X ", ") AppleWebKit/537.36 (KHTML, like Gecko) ",
	") AppleWebKit/605.1.15 (KHTML, like Gecko) ", "Chrome/", ".0.0.0 Safari/537.36", " Safari/537.36", " Safari/604.1", "Version/",
	"Mobile/15E148", " Mobile", "Gecko/20100101 Firefox/", "; rv:", " Edg/", "Linux x86_64",
	"Sec-Fetch-Dest: empty\r\n", "Sec-Fetch-Dest: websocket\r\n", "Sec-Fetch-Mode: cors\r\n", "Sec-Fetch-Mode: websocket\r\n",
	"Sec-Fetch-Site: same-origin\r\n", "Sec-Fetch-Site: cross-site\r\n", "Sec-Fetch-Site: same-site\r\n",
	"sec-ch-ua-platform: \"", "sec-ch-ua-mobile: ?0\r\n", "sec-ch-ua-mobile: ?1\r\n", "sec-ch-ua: \"", "\"Chromium\";v=\"",
	"\"Google Chrome\";v=\"", "\"Not", "\";v=\"", "Brand\";v=\"", "Windows\"\r\n", "macOS\"\r\n", "Android\"\r\n",
	"DNT: 1\r\n", "Priority: u=", "Content-Type: ", "Content-Length: ", "Transfer-Encoding: ", "Authorization: Bearer ", "Authorization: ",
	"X-Forwarded-For: ", "X-Forwarded-Proto: https\r\n", "X-Forwarded-Proto: http\r\n", "X-Forwarded-Host: ",
	"X-Forwarded-Port: 443\r\n", "X-Forwarded-", "X-Real-IP: ", "X-Request-ID: ", "Forwarded: for=", "Via: 1.1 ", "CF-", "X-",
}

// phrasesBy has, for each first byte, the codes of the phrases that begin with it, longest first.
var phrasesBy = func() (by [256][]byte) {
	for i, p := range phrases {
		list := by[p[0]]
		at := 0
		for at < len(list) && len(phrases[list[at]-phraseFirst]) >= len(p) {
			at++
		}
		list = append(list, 0)
		copy(list[at+1:], list[at:])
		list[at] = byte(phraseFirst + i)
		by[p[0]] = list
	}
	return by
}()

// longestPhrase returns the code and the length of the longest phrase that head begins with; n is 0 if there is none.
func longestPhrase(head []byte) (code byte, n int) {
	for _, code := range phrasesBy[head[0]] {
		p := phrases[code-phraseFirst]
		if len(head) >= len(p) && string(head[:len(p)]) == p {
			return code, len(p)
		}
	}
	return 0, 0
}
