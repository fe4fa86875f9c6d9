"""The endpoint as its documentation has it, for an admin and one call at a time: port, file of messages, and what it is to get wrong."""
import base64, hashlib, hmac, json, os, sys, time, zlib
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

PATH = "/v4/openim_msg_ext_http_svc/set_key_values"
APP, ADMIN, KEY, WRONG = 1400000000, "administrator", os.environ["MSGEXT_SECRET_KEY"].encode(), set(sys.argv[3:])
MESSAGES = {key.strip("-"): {"pairs": {}, "calls": [], "supports": key[0] != "-"} for key in open(sys.argv[2]).read().split()}
TEXT = {"To_Account", "From_Account", "MsgKey"}


class Refused(Exception): ...


def check(holds, code, why):
    if not holds:
        raise Refused(code, why)


def signature(usersig, identifier):
    try:
        told = json.loads(zlib.decompress(base64.b64decode(usersig.translate(str.maketrans("*-_", "+/=")))))
        signed = "".join(f"TLS.{name}:{told['TLS.' + name]}\n" for name in ("identifier", "sdkappid", "time", "expire"))
    except Exception:
        raise Refused(70003, "the signature cannot be read")
    mac = base64.b64encode(hmac.new(KEY, signed.encode(), hashlib.sha256).digest()).decode()
    check(hmac.compare_digest(mac, told["TLS.sig"]), 70009, "the signature is not of this key")
    check(told["TLS.identifier"] == identifier, 70013, "the signature is of somebody else")
    check(told["TLS.sdkappid"] == APP, 70014, "the signature is of another app")
    check(time.time() <= told["TLS.time"] + told["TLS.expire"], 70001, "the signature has run out")


def extension(pair):
    check(isinstance(pair, dict), 10004, "ExtensionList has to hold objects")
    key, value, seq = pair.get("Key"), pair.get("Value"), pair.get("Seq", 0)
    check(isinstance(key, str) and key and isinstance(value, str), 10004, "Key and Value have to be strings")
    size = len if "characters" in WRONG else lambda text: len(text.encode())
    check(size(key) <= 100 and size(value) <= 1000, 10004, "a key has at most 100 bytes, a value at most 1000")
    check(type(seq) is int and seq >= 0, 10004, "Seq has to be a number")
    return key, value, seq


def handle(query, body):
    query = {name: values[0] for name, values in query.items()}
    check(query.get("sdkappid") == str(APP) and query.get("contenttype") == "json", 60025, "sdkappid or contenttype is wrong")
    signature(query.get("usersig", ""), query.get("identifier"))
    check(query["identifier"] == ADMIN, 60010, "only an admin may call")
    try:
        asked = json.loads(body)
    except ValueError:
        raise Refused(60003, "the body is not JSON")
    check(isinstance(asked, dict), 60003, "the body is no object")
    check(all(isinstance(asked.get(name, "x"), str) and asked.get(name, "x") for name in TEXT), 10004, "an account is no string")
    check("To_Account" in asked and "MsgKey" in asked, 10004, "To_Account or MsgKey is missing")
    operation, pairs = asked.get("OperateType"), asked.get("ExtensionList")
    check(type(operation) is int and operation in (1, 2, 3), 10004, "OperateType has to be 1, 2 or 3")
    most = 99 if "many" in WRONG else 20
    check(operation == 3 or isinstance(pairs, list) and 1 <= len(pairs) <= most, 10004, "ExtensionList has to hold 1 to 20 pairs")
    pairs = [extension(pair) for pair in pairs] if operation != 3 else []
    message = MESSAGES.get(asked["MsgKey"])
    check(message, 23004, "there is no such message")
    check(message["supports"], 23002, "the message takes no extension")
    message["calls"] = [at for at in message["calls"] if at > time.time() - 60] + [time.time()]
    check(len(message["calls"]) <= 200, 23003, "too often")
    if operation == 3:
        message["pairs"].clear()
    results = []
    for key, value, seq in pairs:
        now, last = message["pairs"].get(key, ("", 0))
        conflict = "admin" in WRONG and seq != last
        if not conflict:
            now, last = message["pairs"][key] = (value if operation == 1 else "", last + 1)
        results.append({"ErrorCode": 23001 if conflict else 0, "Extension": {"Key": key, "Value": now, "Seq": last}})
    return results


class Endpoint(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1" if "keeps" in WRONG else "HTTP/1.0"

    def do_POST(self):
        body, url, results, why = self.rfile.read(int(self.headers.get("Content-Length", 0))), urlsplit(self.path), [], (0, "")
        try:
            check(url.path == PATH, 60009, "there is no such command")
            results = handle(parse_qs(url.query), body)
        except Refused as refused:
            why = refused.args
        reply = {"ActionStatus": "FAIL" if why[0] else "OK", "ErrorCode": why[0], "ErrorInfo": why[1], "ExtensionList": results}
        text = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    log_message = lambda *_: None


server = HTTPServer(("127.0.0.1", int(sys.argv[1])), Endpoint)
print(server.server_port, flush=True)
server.serve_forever()
