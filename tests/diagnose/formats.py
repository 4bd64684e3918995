"""Renders one conversation in the form that each library or program prints it.

A conversation is a list of steps: ("C", line), ("S", line), ("TLS", ""), ("EOF", ""). A renderer gives lines and, for each
step, the number of the line (from 1) on which it stands, or None where that form does not show it.
"""
import json


class Page:
    def __init__(self):
        self.lines, self.at = [], []

    def put(self, *lines, step=True):
        if step:
            self.at.append(len(self.lines) + 1 if lines else None)
        self.lines.extend(lines)


def simple(client, server, tls=None, eof=None, head=(), tail=(), keep=str):
    def render(steps):
        page = Page()
        page.put(*head, step=False)
        for who, line in steps:
            if who in "CS":
                page.put((client if who == "C" else server) % keep(line))
            elif who == "TLS":
                page.put(*([tls] if tls else []))
            else:
                page.put(*([eof] if eof else []))
        page.put(*tail, step=False)
        return page
    return render


def swaks(steps):
    page, tls = Page(), False
    page.put("=== Trying mail.example.com:587...", "=== Connected to mail.example.com.", step=False)
    for who, line in steps:
        if who == "C":
            page.put((" ~> " if tls else " -> ") + line)
        elif who == "S":
            bad = line[0] in "45"
            page.put(("<~* " if tls else "<** ") + line if bad else ("<~  " if tls else "<-  ") + line)
        elif who == "TLS":
            tls = True
            page.put("=== TLS started with cipher TLSv1.3:TLS_AES_256_GCM_SHA384:256", "=== TLS peer DN=\"/CN=mail.example.com\"")
        else:
            page.put("*** Remote host closed connection unexpectedly.")
    return page


def telnet(steps):
    page = Page()
    page.put("$ telnet mail.example.com 587", "Trying 192.0.2.25...", "Connected to mail.example.com.", "Escape character is '^]'.", step=False)
    for who, line in steps:
        if who in "CS":
            page.put(line)
        elif who == "EOF":
            page.put("Connection closed by foreign host.")
        else:
            page.put()
    return page


def openssl(steps):
    page = Page()
    page.put("CONNECTED(00000003)", "depth=2 C = US, O = Internet Security Research Group, CN = ISRG Root X1", "verify return:1", "---",
             "Certificate chain", " 0 s:CN = mail.example.com", "   i:C = US, O = Let's Encrypt, CN = R3", "---",
             "SSL handshake has read 4512 bytes and written 421 bytes", "Verification: OK", "---",
             "New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384", "Verify return code: 0 (ok)", "---", step=False)
    for who, line in steps:
        if who in "CS":
            page.put(line)
        elif who == "EOF":
            page.put("read:errno=0")
        else:
            page.put()
    return page


def smtplib(new=True, stamp=""):
    def render(steps):
        page, b = Page(), "b" if new else ""
        page.put(f"{stamp}connect: to ('mail.example.com', 587) None" if new else f"connect: ('mail.example.com', 587)", step=False)
        for i, (who, line) in enumerate(steps):
            if who == "C":
                page.put(f"{stamp}send: {line + chr(13) + chr(10)!r}")
            elif who == "S":
                page.put(f"{stamp}reply: {b}{line + chr(13) + chr(10)!r}")
                if line[3:4] != "-":
                    page.put(f"{stamp}reply: retcode ({line[:3]}); Msg: {b}{line[4:]!r}", step=False)
            elif who == "EOF":
                page.put("smtplib.SMTPServerDisconnected: Connection unexpectedly closed")
            else:
                page.put()
        return page
    return render


def nodemailer(steps):
    page, s = Page(), "[2024-03-05 10:11:12] DEBUG "
    page.put(s[:22] + "INFO  [a1B2c3D4e5] Creating transport: nodemailer (6.9.1; +https://nodemailer.com/; SMTP/6.9.1[client:6.9.1])".replace("INFO ", "DEBUG"), step=False)
    for who, line in steps:
        if who in "CS":
            page.put(f"{s}[a1B2c3D4e5] {who}: {line}")
        elif who == "TLS":
            page.put(s.replace("DEBUG", "INFO ") + "[a1B2c3D4e5] Connection upgraded with STARTTLS")
        else:
            page.put(s.replace("DEBUG", "ERROR") + "[a1B2c3D4e5] Connection closed unexpectedly")
    return page


def pino(steps):
    page = Page()
    for i, (who, line) in enumerate(steps):
        record = {"level": 20, "time": 1700000000000 + i, "pid": 4242, "hostname": "web-1", "component": "smtp-connection", "sid": "a1B2c3D4e5"}
        if who in "CS":
            record |= {"tnx": "client" if who == "C" else "server", "msg": line}
        elif who == "TLS":
            record |= {"tnx": "smtp", "msg": "Connection upgraded with STARTTLS"}
        else:
            record |= {"tnx": "network", "msg": "Connection closed unexpectedly"}
        page.put(json.dumps(record))
    return page


def phpmailer(steps, html=False, level=2):
    page = Page()
    end = "<br>" if html else ""
    gt = "&gt;" if html else ">"
    stamp = "" if html else "2024-03-05 10:11:12\t"
    page.put(f"{stamp}Connection: opening to mail.example.com:587, timeout=300, options=array(){end}", f"{stamp}Connection: opened{end}", step=False)
    more = False
    for who, line in steps:
        if who == "C":
            page.put(f"{stamp}CLIENT -{gt} SERVER: {line}{end}")
        elif who == "S":
            if level > 3:
                page.put(f"{stamp}SMTP INBOUND: \"{line}\"{end}", step=False)
            page.put(f"                   \t                  {line}{end}" if more else f"{stamp}SERVER -{gt} CLIENT: {line}{end}")
            more = line[3:4] == "-" and level < 4
        elif who == "EOF":
            page.put(f"{stamp}SMTP NOTICE: EOF caught while checking if connected{end}")
        else:
            page.put()
    return page


def javamail(steps):
    page = Page()
    page.put("DEBUG: setDebug: JavaMail version 1.6.2", "DEBUG: getProvider() returning javax.mail.Provider[TRANSPORT,smtp,com.sun.mail.smtp.SMTPTransport,Oracle]",
             "DEBUG SMTP: useEhlo true, useAuth true", "DEBUG SMTP: trying to connect to host \"mail.example.com\", port 587, isSSL false", step=False)
    for who, line in steps:
        if who in "CS":
            page.put(line)
            if line[:4] == "220 ":
                page.put("DEBUG SMTP: connected to host \"mail.example.com\", port: 587", "", step=False)
        elif who == "EOF":
            page.put("javax.mail.MessagingException: Exception reading response;")
        else:
            page.put()
    return page


def ruby(steps):
    page = Page()
    page.put("Connection opened: mail.example.com:587", step=False)
    for who, line in steps:
        text = json.dumps(line + "\r\n")
        if who in "CS":
            page.put(f"<- {text}" if who == "C" else f"-> {text}")
        elif who == "TLS":
            page.put("TLS connection started")
        else:
            page.put("EOFError: end of file reached")
    return page


def exim_server(steps):
    page = Page()
    page.put("10:11:12 12345 Process 12345 is handling incoming connection from [192.0.2.7]", step=False)
    for who, line in steps:
        if who in "CS":
            page.put(f"10:11:12 12345 SMTP{'<<' if who == 'C' else '>>'} {line}")
        elif who == "EOF":
            page.put("10:11:13 12345 unexpected EOF while reading SMTP command from [192.0.2.7]: connection lost")
        else:
            page.put("10:11:12 12345 TLS session started: TLS1.3")
    return page


def exchange(steps):
    page = Page()
    page.put("#Software: Microsoft Exchange Server", "#Fields: date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,data,context", step=False)
    for i, (who, line) in enumerate(steps):
        head = f"2024-03-05T10:11:12.{i:03d}Z,EX1\\Client Frontend,08DC3D0A1B2C3D4E,{i},10.0.0.1:587,10.0.0.7:50123"
        if who in "CS":
            text = f'"{line}"' if "," in line else line
            page.put(f"{head},{'<' if who == 'C' else '>'},{text},")
        elif who == "EOF":
            page.put(f"{head},-,,Remote")
        else:
            page.put(f"{head},*,,TLS protocol SP_PROT_TLS1_2_SERVER negotiation succeeded")
    return page


FORMATS = {
    "plain": simple("C: %s", "S: %s", "-- TLS handshake", "-- connection closed by the server"),
    "plain-crlf": simple("C: %s\r", "S: %s\r", "-- TLS\r", "-- connection closed\r"),
    "swaks": swaks,
    "swaks-ansi": lambda steps: colour(swaks(steps)),
    "curl": simple("> %s", "< %s", "* SSL connection using TLSv1.3 / TLS_AES_256_GCM_SHA384", "* Connection #0 to host mail.example.com left intact; server closed connection",
                   head=("*   Trying 192.0.2.25:587...", "* Connected to mail.example.com (192.0.2.25) port 587 (#0)")),
    "telnet": telnet,
    "openssl": openssl,
    "smtplib": smtplib(),
    "smtplib-2": smtplib(new=False),
    "smtplib-stamps": smtplib(stamp="10:11:12.123456 "),
    "nodemailer": nodemailer,
    "pino": pino,
    "phpmailer": phpmailer,
    "phpmailer-html": lambda steps: phpmailer(steps, html=True),
    "phpmailer-4": lambda steps: phpmailer(steps, level=4),
    "phpmailer-5.2": simple("CLIENT -> SMTP: %s", "SMTP -> FROM SERVER:%s", eof="SMTP -> NOTICE: EOF caught while checking if connected"),
    "swift": simple(">> %s", "<< %s", eof="!! Connection to mail.example.com:587 has been closed unexpectedly", head=("++ Starting Swift_SmtpTransport",)),
    "symfony": simple("> %s", "< %s", eof="[error] Connection to \"mail.example.com:587\" has been closed unexpectedly."),
    "symfony-stamps": simple("[2024-03-05T10:11:12.123456+00:00] > %s", "[2024-03-05T10:11:12.123456+00:00] < %s"),
    "javamail": javamail,
    "ruby": ruby,
    "go": simple("2024/03/05 10:11:12 smtp: -> %s", "2024/03/05 10:11:12 smtp: <- %s", eof="2024/03/05 10:11:12 smtp: EOF"),
    "mailkit": simple("C: %s", "S: %s", head=("Connected to smtp://mail.example.com:587/?starttls=when-available",)),
    "mailkit-stamps": simple("2024-03-05T10:11:12.1234567Z C: %s", "2024-03-05T10:11:12.1234567Z S: %s"),
    "msmtp": simple("--> %s", "<-- %s", "TLS session parameters:", "msmtp: the server closed the connection unexpectedly",
                    head=("loaded system configuration file /etc/msmtprc", "host = mail.example.com", "port = 587", "using account default")),
    "perl": simple("Net::SMTP=GLOB(0x55d0c8)>>> %s", "Net::SMTP=GLOB(0x55d0c8)<<< %s"),
    "exim": simple("  SMTP>> %s", "  SMTP<< %s", eof="  SMTP(closed)<< connection lost"),
    "exim-server": exim_server,
    "postfix-v": simple("Mar  5 10:11:12 mx1 postfix/smtp[2345]: > mail.example.com[192.0.2.25]:587: %s",
                        "Mar  5 10:11:12 mx1 postfix/smtp[2345]: < mail.example.com[192.0.2.25]:587: %s",
                        eof="Mar  5 10:11:12 mx1 postfix/smtp[2345]: lost connection with mail.example.com[192.0.2.25]"),
    "postfix-v-server": simple("Mar  5 10:11:12 mx1 postfix/smtpd[2345]: < client.example.org[192.0.2.7]: %s",
                               "Mar  5 10:11:12 mx1 postfix/smtpd[2345]: > client.example.org[192.0.2.7]: %s",
                               eof="Mar  5 10:11:12 mx1 postfix/smtpd[2345]: lost connection after AUTH from client.example.org[192.0.2.7]"),
    "sendmail": simple("Mar  5 10:11:12 mx1 sendmail[2345]: 425AbC: <-- %s", "Mar  5 10:11:12 mx1 sendmail[2345]: 425AbC: --- %s",
                       eof="Mar  5 10:11:12 mx1 sendmail[2345]: 425AbC: lost input channel from client [192.0.2.7] to MTA: connection lost"),
    "sendmail-v": simple(">>> %s", "%s"),
    "opensmtpd": simple("debug: smtp: 0x1c2d3e: <<< %s", "debug: smtp: 0x1c2d3e: >>> %s"),
    "exchange": exchange,
    "journald": simple("Mar 05 10:11:12 web-1 app[812]: C: %s", "Mar 05 10:11:12 web-1 app[812]: S: %s"),
    "docker": simple("app-1  | 2024-03-05 10:11:12,123 DEBUG smtp.client: >>> %s", "app-1  | 2024-03-05 10:11:12,123 DEBUG smtp.client: <<< %s"),
    "log4j": simple("2024-03-05 10:11:12.123 DEBUG 1 --- [main] c.e.mail.SmtpClient : CLIENT: %s", "2024-03-05 10:11:12.123 DEBUG 1 --- [main] c.e.mail.SmtpClient : SERVER: %s"),
    "brackets": simple("[client] %s", "[server] %s"),
    "client-server": simple("Client: %s", "Server: %s"),
    "email-s": simple("[email] C: %s", "[email] S: %s"),
}


def colour(page):
    page.lines = [f"\x1b[32m{line}\x1b[0m" for line in page.lines]
    return page
