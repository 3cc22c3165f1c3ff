"""An SMTP server for tests: takes mails and writes each as a line of JSON, and misbehaves as the mode file says.

The mode file holds a JSON object, read anew at each step: a key is a step (greeting, login, sender, recipient, data; and
again, which is sender for a further mail on one connection), its value the reply to give in place of the usual one, or "hang", which lasts until the file says otherwise, or for data
"drop": take the mail, then hang up without a reply. "linger" milliseconds keep the yes to a mail back.
"""

import argparse
import asyncio
import email
import email.policy
import json
import os
import ssl
import time

from aiosmtpd.smtp import SMTP, AuthResult

arguments = argparse.ArgumentParser()
arguments.add_argument("--port", type=int, required=True)
arguments.add_argument("--folder", required=True)
arguments.add_argument("--tls", choices=["none", "starttls", "implicit"], default="none")
arguments.add_argument("--login", default="")
options = arguments.parse_args()


def mode(step):
    try:
        with open(os.path.join(options.folder, "mode.json")) as file:
            return json.load(file).get(step, "")
    except FileNotFoundError:
        return ""


def note(kind, value):
    with open(os.path.join(options.folder, kind), "a") as file:
        file.write(json.dumps(value) + "\n")


def described(content):
    message = email.message_from_bytes(content, policy=email.policy.default)
    parts = {part.get_content_type(): part.get_content().replace("\r\n", "\n") for part in message.walk() if not part.is_multipart()}
    return {
        "subject": message["subject"],
        "to": message["to"],
        "from": message["from"],
        "date": message["date"],
        "message_id": message["message-id"],
        "headers": sorted(name.lower() for name in message.keys()),
        "text": parts.get("text/plain", ""),
        "html": parts.get("text/html", ""),
        "defects": [str(defect) for part in message.walk() for defect in part.defects],
        "longest_line": max(len(line) for line in content.split(b"\r\n")),
        "is_ascii": content.isascii(),
        "raw": content.decode("latin-1"),
    }


async def usual(step):
    """The reply that the mode file wants at a step; empty for the usual one."""
    while (wish := mode(step)) == "hang":
        await asyncio.sleep(0.02)
    return "" if wish == "drop" else wish


class Handler:
    async def handle_MAIL(self, server, session, envelope, address, mail_options):
        if wish := await usual("again" if hasattr(session, "had_mail") else "sender"):
            return wish
        session.had_mail = True
        envelope.mail_from = address
        envelope.mail_options.extend(mail_options)
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if wish := await usual("recipient"):
            return wish
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        is_dropped = mode("data") == "drop"
        wish = await usual("data")
        mail = described(envelope.original_content)
        mail["sender"], mail["recipients"] = envelope.mail_from, envelope.rcpt_tos
        mail["is_encrypted"] = server.transport.get_extra_info("ssl_object") is not None
        mail["user"] = session.auth_data.login.decode() if session.authenticated else ""
        mail["connection"] = id(session)
        if wish:
            return wish
        note("dropped" if is_dropped else "mails", mail)
        if is_dropped:
            server.transport.abort()
        if linger := mode("linger"):
            await asyncio.sleep(int(linger) / 1000)
        return "250 OK"


class Server(SMTP):
    async def _handle_client(self):
        note("connections", time.time())
        if wish := await usual("greeting"):
            await self.push(wish)
            self.transport.close()
            return
        await super()._handle_client()


def authenticate(server, session, envelope, mechanism, data):
    note("logins", mechanism)
    if wish := mode("login"):
        return AuthResult(success=False, handled=False, message=wish)
    user, password = options.login.split(":", 1)
    is_right = data.login.decode() == user and data.password.decode() == password
    return AuthResult(success=is_right, handled=False, auth_data=data)


async def main():
    context = None
    if options.tls != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{options.folder}/server.pem", f"{options.folder}/server.key")

    def make():
        more = {}
        if options.login:
            more = {"authenticator": authenticate, "auth_required": True, "auth_require_tls": options.tls == "starttls"}
        if options.tls == "starttls":
            more["tls_context"] = context
        return Server(Handler(), hostname="mail.test", enable_SMTPUTF8=True, **more)

    server = await asyncio.get_running_loop().create_server(
        make, "127.0.0.1", options.port, ssl=context if options.tls == "implicit" else None
    )
    print("listening", flush=True)
    await server.serve_forever()


asyncio.run(main())
