"""Conversations with what is to be found in them, one at least for each cause that a conversation can show.

A case is (name, ids, steps): the first id is the best answer, the others are as good. "!" before a step's side marks
the decisive one; several may be marked.
"""
import base64


def b64(text):
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


USER, SECRET = b64("ann@example.org"), b64("correct horse")
PLAIN = b64("\0ann@example.org\0correct horse")
GREET = "S 220 mail.example.com ESMTP Postfix"
EHLO = "C EHLO client.example.org"
CAPS = "S 250-mail.example.com|S 250-PIPELINING|S 250-SIZE 10240000"
OPEN = f"{GREET}|{EHLO}|{CAPS}|S 250 8BITMIME"
TLS_ONLY = f"{GREET}|{EHLO}|{CAPS}|S 250-STARTTLS|S 250 8BITMIME"
START = f"{TLS_ONLY}|C STARTTLS|S 220 2.0.0 Ready to start TLS|TLS"
AUTH_CAPS = f"{EHLO}|S 250-mail.example.com|S 250-AUTH PLAIN LOGIN|S 250 8BITMIME"
READY = f"{START}|{AUTH_CAPS}"
LOGGED_IN = f"{READY}|C AUTH PLAIN {PLAIN}|S 235 2.7.0 Authentication successful"
MAIL = "C MAIL FROM:<ann@example.org>|S 250 2.1.0 Ok"
RCPT = "C RCPT TO:<bob@example.net>|S 250 2.1.5 Ok"
BODY = "C DATA|S 354 End data with <CR><LF>.<CR><LF>|C Subject: hi|C |C Hello there|C ."
SENT = f"{MAIL}|{RCPT}|{BODY}|S 250 2.0.0 Ok: queued as 4F1B2C3D4E"
QUIT = "C QUIT|S 221 2.0.0 Bye"
LOGIN = f"C AUTH LOGIN|S 334 VXNlcm5hbWU6|C {USER}|S 334 UGFzc3dvcmQ6"
TOKEN = "ya29." + "a0AfH6SMBx" * 14
XOAUTH = b64(f"user=ann@example.org\x01auth=Bearer {TOKEN}\x01\x01")

TEXT = {
    # the AUTH exchange
    "challenge unanswered": ("challenge-unanswered", f"{READY}|C AUTH LOGIN|!S 334 VXNlcm5hbWU6"),
    "challenge unanswered, then 421": ("challenge-unanswered timed-out", f"{READY}|C AUTH LOGIN|!S 334 VXNlcm5hbWU6|!S 421 4.4.2 mail.example.com Error: timeout exceeded"),
    "name in clear": ("response-not-base64", f"{READY}|C AUTH LOGIN|S 334 VXNlcm5hbWU6|!C ann@example.org|!S 501 5.5.2 Cannot decode"),
    "password in clear": ("response-not-base64", f"{READY}|{LOGIN}|!C s3cr3t!pass|!S 535 5.7.8 Error: authentication failed: another step is needed in authentication"),
    "double base64": ("response-twice-encoded", f"{READY}|C AUTH LOGIN|S 334 VXNlcm5hbWU6|!C {b64(USER)}|S 334 UGFzc3dvcmQ6|C {b64(SECRET)}|S 535 5.7.8 Error: authentication failed"),
    "newline in the name": ("response-with-line-end", f"{READY}|C AUTH LOGIN|S 334 VXNlcm5hbWU6|!C {b64('ann@example.org' + chr(10))}|S 334 UGFzc3dvcmQ6|C {SECRET}|S 535 5.7.8 Error: authentication failed"),
    "newline in the password": ("response-with-line-end", f"{READY}|{LOGIN}|!C {b64('correct horse' + chr(10))}|!S 535 5.7.8 Authentication credentials invalid"),
    "wrapped token": ("response-wrapped", f"{READY}|C AUTH XOAUTH2|S 334 |!C {XOAUTH[:76]}|!C {XOAUTH[76:]}|!S 501 5.5.2 Invalid base64|S 500 5.5.1 Unrecognized command"),
    "plain with a colon": ("plain-malformed", f"{READY}|!C AUTH PLAIN {b64('ann@example.org:correct horse')}|!S 535 5.7.8 Error: authentication failed: bad protocol / cancel"),
    "plain undefined": ("plain-malformed", f"{READY}|!C AUTH PLAIN {b64(chr(0) + 'undefined' + chr(0) + 'undefined')}|!S 535 5.7.8 authentication failed"),
    "plain one nul": ("plain-malformed", f"{READY}|C AUTH PLAIN|S 334 |!C {b64('ann' + chr(0) + 'secret')}|!S 501 5.5.2 malformed auth input"),
    "wrong password": ("wrong-credentials", f"{READY}|{LOGIN}|C {SECRET}|!S 535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6|{QUIT}"),
    "wrong password, plain": ("wrong-credentials", f"{READY}|C AUTH PLAIN {PLAIN}|!S 535 Incorrect authentication data|{QUIT}"),
    "cascade of a wrong password": ("wrong-credentials", f"{READY}|C AUTH PLAIN {PLAIN}|!S 535 5.7.8 Error: authentication failed|C MAIL FROM:<a@example.org>|S 530 5.7.0 Authentication required|C RCPT TO:<b@example.net>|S 503 5.5.1 Error: need MAIL command|C DATA|S 503 5.5.1 Error: need RCPT command"),
    "name asked again": ("initial-response-ignored", f"{READY}|!C AUTH LOGIN {USER}|!S 334 VXNlcm5hbWU6|!C {SECRET}|S 334 UGFzc3dvcmQ6|C |!S 535 5.7.8 Authentication failed"),
    "initial response to CRAM-MD5": ("initial-response-refused", f"{GREET}|{EHLO}|S 250-x|S 250 AUTH CRAM-MD5|C AUTH CRAM-MD5 {USER}|!S 501 5.7.0 No initial response allowed"),
    "initial data not expected": ("initial-response-refused", f"{GREET}|{EHLO}|S 250-x|S 250 AUTH CRAM-MD5|C AUTH CRAM-MD5 {USER}|!S 553 Initial data not expected"),
    "mechanism": ("mechanism-not-offered", f"{START}|{EHLO}|S 250-x|S 250 AUTH PLAIN|C AUTH LOGIN|!S 504 5.5.4 Unrecognized authentication type"),
    "mechanism 535": ("mechanism-not-offered", f"{START}|{EHLO}|S 250-x|S 250 AUTH PLAIN|C AUTH LOGIN|!S 535 5.7.8 Error: authentication failed: Invalid authentication mechanism"),
    "token expired": ("oauth-token-refused", f"{READY}|C AUTH XOAUTH2 {XOAUTH}|!S 334 eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==|C |!S 535 5.7.8 Username and Password not accepted"),
    "token expired, no answer": ("oauth-token-refused", f"{READY}|C AUTH XOAUTH2 {XOAUTH}|!S 334 eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIn0="),
    "xoauth2 blob": ("xoauth2-malformed", f"{READY}|!C AUTH XOAUTH2 {b64('user=ann@example.org' + chr(1) + 'auth=' + TOKEN + chr(1) + chr(1))}|!S 535 5.7.3 Authentication unsuccessful"),
    "xoauth2 said": ("xoauth2-malformed", f"{READY}|!C AUTH XOAUTH2 {XOAUTH}|!S 501 5.5.124 Invalid XOAUTH2 auth data"),
    "basic disabled": ("basic-auth-disabled", f"{READY}|{LOGIN}|C {SECRET}|!S 535 5.7.139 Authentication unsuccessful, basic authentication is disabled. [AM0PR04CA0101.eurprd04.prod.outlook.com]"),
    "tenant": ("smtp-auth-disabled", f"{READY}|{LOGIN}|C {SECRET}|!S 535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled"),
    "exchange": ("exchange-auth-unsuccessful", f"{READY}|{LOGIN}|C {SECRET}|!S 535 5.7.3 Authentication unsuccessful"),
    "app password": ("app-password-required", f"{READY}|{LOGIN}|C {SECRET}|!S 534-5.7.9 Application-specific password required. For more information, go to|S 534 5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor d9-20 - gsmtp"),
    "bad credentials": ("google-bad-credentials", f"{READY}|C AUTH PLAIN {PLAIN}|!S 535-5.7.8 Username and Password not accepted. For more information, go to|S 535 5.7.8  https://support.google.com/mail/?p=BadCredentials d9-20 - gsmtp"),
    "browser": ("browser-sign-in-required", f"{READY}|C AUTH PLAIN {PLAIN}|!S 534-5.7.14 <https://accounts.google.com/signin/continue?sarp=1> Please log in via|S 534-5.7.14 your web browser and then try again.|S 534 5.7.14  https://support.google.com/mail/answer/78754 x1 - gsmtp"),
    "backend down": ("auth-temporary-failure", f"{READY}|C AUTH PLAIN {PLAIN}|!S 454 4.7.0 Temporary authentication failure: Connection lost to authentication server"),
    "exim 435": ("auth-temporary-failure", f"{READY}|C AUTH PLAIN {PLAIN}|!S 435 Unable to authenticate at present"),
    "too many logins": ("auth-rate-limited", f"{READY}|C AUTH PLAIN {PLAIN}|!S 454 4.7.0 Too many login attempts, please try again later. x1 - gsmtp"),
    "too many AUTH": ("auth-rate-limited", f"{READY}|C AUTH LOGIN|!S 450 4.7.1 Error: too many AUTH commands from 192.0.2.7"),
    "long line": ("auth-line-too-long", f"{READY}|C AUTH XOAUTH2|S 334 |C {XOAUTH}|!S 500 5.5.6 Authentication Exchange line is too long"),
    "other sender": ("sender-not-allowed", f"{LOGGED_IN}|C MAIL FROM:<boss@example.org>|S 250 2.1.0 Ok|C RCPT TO:<bob@example.net>|!S 553 5.7.1 <boss@example.org>: Sender address rejected: not owned by user ann@example.org"),
    "send as denied": ("sender-not-allowed", f"{LOGGED_IN}|{MAIL}|{RCPT}|{BODY}|!S 554 5.2.252 SendAsDenied; ann@example.org not allowed to send as boss@example.org"),
    "mail refused after login": ("sender-not-allowed", f"{LOGGED_IN}|C MAIL FROM:<boss@example.org>|!S 550 5.7.60 SMTP; Client does not have permissions to send as this sender"),
    # the order
    "AUTH before STARTTLS": ("auth-before-starttls", f"{TLS_ONLY}|C AUTH LOGIN|!S 503 5.5.1 Error: authentication not enabled|{QUIT}", "-openssl"),
    "AUTH before STARTTLS, 504": ("auth-before-starttls", f"{TLS_ONLY}|C AUTH LOGIN|!S 504 5.7.4 Unrecognized authentication type", "-openssl"),
    "AUTH before STARTTLS, 502": ("auth-before-starttls", f"{TLS_ONLY}|C AUTH PLAIN {PLAIN}|!S 502 5.5.1 Command not implemented", "-openssl"),
    "AUTH before STARTTLS, 538": ("auth-before-starttls auth-needs-tls", f"{TLS_ONLY}|C AUTH PLAIN {PLAIN}|!S 538 Encryption required for requested authentication mechanism", "-openssl"),
    "no EHLO after STARTTLS": ("no-ehlo-after-starttls", f"{START}|C AUTH LOGIN|!S 503 AUTH command used when not advertised"),
    "no EHLO after STARTTLS, MAIL": ("no-ehlo-after-starttls no-ehlo", f"{START}|C MAIL FROM:<a@example.org>|!S 503 5.5.1 EHLO/HELO first"),
    "HELO": ("helo-instead-of-ehlo", f"{GREET}|C HELO client.example.org|S 250 mail.example.com|C AUTH LOGIN|!S 503 5.5.1 Error: send EHLO first"),
    "HELO, 500": ("helo-instead-of-ehlo", f"{GREET}|C HELO client|S 250 mail.example.com|C AUTH PLAIN {PLAIN}|!S 500 5.5.1 Command unrecognized"),
    "AUTH not offered": ("auth-not-offered", f"{OPEN}|C AUTH LOGIN|!S 503 5.5.1 Error: authentication not enabled"),
    "AUTH not offered over TLS": ("auth-not-offered", f"{START}|{OPEN.split('|', 1)[1]}|C AUTH LOGIN|!S 502 5.5.1 Error: command not implemented"),
    "AUTH twice": ("auth-twice", f"{LOGGED_IN}|C AUTH LOGIN|!S 503 5.5.1 Error: already authenticated"),
    "AUTH twice, google": ("auth-twice", f"{LOGGED_IN}|C AUTH PLAIN {PLAIN}|!S 503 5.7.0 No identity changes permitted. x1 - gsmtp"),
    "AUTH in a message": ("auth-in-transaction", f"{READY}|{MAIL}|C AUTH LOGIN|!S 503 5.5.1 Error: MAIL transaction in progress"),
    "no EHLO": ("no-ehlo", f"{GREET}|C MAIL FROM:<a@example.org>|!S 503 5.5.1 Error: send HELO/EHLO first"),
    "no EHLO, sendmail": ("no-ehlo", f"{GREET}|C MAIL FROM:<a@example.org>|!S 503 5.0.0 Polite people say HELO first"),
    "no EHLO, AUTH": ("no-ehlo", f"{GREET}|C AUTH LOGIN|!S 503 5.5.1 Error: send HELO/EHLO first"),
    "EHLO refused": ("ehlo-refused", f"{GREET}|C EHLO my_host|!S 501 5.5.4 Invalid domain name|C MAIL FROM:<a@example.org>|S 503 5.5.1 EHLO/HELO first"),
    "EHLO refused, 550": ("ehlo-refused", f"{GREET}|C EHLO localhost|!S 550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)|{QUIT}"),
    "EHLO refused, 504": ("ehlo-refused", f"{GREET}|C EHLO localhost|!S 504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname"),
    "nested MAIL": ("nested-mail", f"{OPEN}|{MAIL}|C RCPT TO:<nobody@example.net>|S 450 4.2.1 busy|C MAIL FROM:<b@example.org>|!S 503 5.5.1 Error: nested MAIL command"),
    "nested MAIL, plain": ("nested-mail", f"{OPEN}|{MAIL}|C MAIL FROM:<b@example.org>|!S 503 sender already given"),
    "cascade of MAIL": ("sender-domain-not-found", f"{OPEN}|C MAIL FROM:<a@nowhere.invalid>|C RCPT TO:<b@example.net>|C DATA|!S 550 5.1.8 <a@nowhere.invalid>: Sender address rejected: Domain not found|S 503 5.5.1 Error: need MAIL command|S 503 5.5.1 Error: need RCPT command"),
    "cascade of MAIL, unnamed": ("mail-refused-cascade sender-refused refused", f"{OPEN}|C MAIL FROM:<a@example.org>|!S 550 rejected by rule 17|C RCPT TO:<b@example.net>|S 503 5.5.1 need MAIL|C DATA|S 503 5.5.1 need RCPT"),
    "RCPT first": ("no-mail", f"{OPEN}|C RCPT TO:<b@example.net>|!S 503 5.5.1 Error: need MAIL command"),
    "DATA without RCPT": ("no-valid-recipients", f"{OPEN}|{MAIL}|C DATA|!S 503 5.5.1 Error: need RCPT command"),
    "DATA without RCPT, 554": ("no-valid-recipients", f"{OPEN}|{MAIL}|C DATA|!S 554 5.5.1 Error: no valid recipients"),
    "all RCPT refused": ("unknown-recipient no-valid-recipients", f"{OPEN}|{MAIL}|C RCPT TO:<x@example.net>|!S 550 5.1.1 <x@example.net>: Recipient address rejected: User unknown|C DATA|S 554 5.5.1 Error: no valid recipients"),
    "DATA after BDAT": ("data-bdat-mixed", f"{GREET}|{EHLO}|S 250-x|S 250 CHUNKING|{MAIL}|{RCPT}|C BDAT 10|S 250 2.0.0 10 octets|C DATA|!S 503 5.5.1 No DATA after BDAT"),
    "message as commands": ("message-as-commands", f"{OPEN}|{MAIL}|{RCPT}|C Subject: hi|!S 500 5.5.2 Error: command not recognized|C From: a@example.org|S 500 5.5.2 Error: command not recognized|C To: b@example.net|S 500 5.5.2 Error: command not recognized|C Hello|S 500 5.5.2 Error: command not recognized"),
    "command in a challenge": ("command-during-challenge", f"{READY}|C AUTH LOGIN|S 334 VXNlcm5hbWU6|!C MAIL FROM:<a@example.org>|!S 501 5.5.2 Invalid base64 data"),
    "STARTTLS twice": ("starttls-twice", f"{START}|{EHLO}|S 250-x|S 250 8BITMIME|C STARTTLS|!S 554 5.5.1 Error: TLS already active"),
    "STARTTLS not offered": ("starttls-not-offered", f"{OPEN}|C STARTTLS|!S 502 5.5.1 Error: command not implemented", "-openssl"),
    # TLS and ports
    "STARTTLS required": ("starttls-required", f"{TLS_ONLY}|C MAIL FROM:<a@example.org>|!S 530 5.7.0 Must issue a STARTTLS command first|{QUIT}", "-openssl"),
    "STARTTLS required, opensmtpd": ("starttls-required", f"{TLS_ONLY}|C MAIL FROM:<a@example.org>|!S 530 5.5.1 Invalid command: Must issue a STARTTLS command first", "-openssl"),
    "AUTH required": ("auth-required", f"{READY}|C MAIL FROM:<a@example.org>|!S 530 5.7.0 Authentication required|{QUIT}"),
    "AUTH required, exchange": ("auth-required", f"{READY}|{MAIL}|C RCPT TO:<b@example.net>|!S 530 5.7.57 Client not authenticated to send mail. [x.prod.outlook.com]"),
    "AUTH required, 503": ("auth-required", f"{READY}|C MAIL FROM:<a@example.org>|!S 503 5.7.0 Authentication required"),
    "stripped": ("starttls-stripped", f"S 220 ****************************************|{EHLO}|S 250-mail.example.com|S 250-SIZE 1000000|S 250 XXXXXXXA|C STARTTLS|!S 500 5.5.1 Command unrecognized"),
    "454 TLS": ("starttls-unavailable", f"{TLS_ONLY}|C STARTTLS|!S 454 4.7.0 TLS not available due to local problem", "-openssl"),
    "pipelined STARTTLS": ("starttls-pipelined", f"{TLS_ONLY}|C STARTTLS|C EHLO client.example.org|!S 523 5.7.10 SMTP protocol violation, no commands allowed to pipeline after STARTTLS"),
    "synchronization": ("talked-too-early", f"{GREET}|{EHLO}|C MAIL FROM:<a@example.org>|!S 554 SMTP synchronization error", "-telnet"),
    # policy
    "relay": ("relay-denied", f"{OPEN}|{MAIL}|C RCPT TO:<bob@example.net>|!S 554 5.7.1 <bob@example.net>: Relay access denied|{QUIT}"),
    "relay, exchange": ("relay-denied", f"{OPEN}|{MAIL}|C RCPT TO:<bob@example.net>|!S 550 5.7.1 Unable to relay"),
    "relay, 454": ("relay-denied", f"{OPEN}|{MAIL}|C RCPT TO:<bob@example.net>|!S 454 4.7.1 <bob@example.net>: Relay access denied"),
    "greylist": ("greylisted", f"{OPEN}|{MAIL}|C RCPT TO:<bob@example.net>|!S 450 4.2.0 <bob@example.net>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/|{QUIT}"),
    "greylist, 451": ("greylisted", f"{OPEN}|{MAIL}|C RCPT TO:<bob@example.net>|!S 451 4.7.1 Please try again later|{QUIT}"),
    "421": ("server-limits", f"!S 421 4.7.0 mail.example.com Error: too many connections from 192.0.2.7"),
    "421 rate": ("server-limits", f"{OPEN}|{MAIL}|{RCPT}|{BODY}|!S 421-4.7.28 Our system has detected an unusual rate of unsolicited mail|S 421 4.7.28 originating from your IP address."),
    "too many recipients": ("too-many-recipients", f"{OPEN}|{MAIL}|{RCPT}|C RCPT TO:<x@example.net>|!S 452 4.5.3 Error: too many recipients"),
    "size at MAIL": ("message-too-large", f"{OPEN}|C MAIL FROM:<a@example.org> SIZE=99999999|!S 552 5.3.4 Message size exceeds fixed limit"),
    "size at the end": ("message-too-large", f"{OPEN}|{MAIL}|{RCPT}|{BODY}|!S 552-5.3.4 Your message exceeded Google's message size limits.|S 552 5.3.4 x1 - gsmtp"),
    "mailbox full": ("mailbox-full", f"{OPEN}|{MAIL}|C RCPT TO:<bob@example.net>|!S 452 4.2.2 The email account that you tried to reach is over quota"),
    "mailbox full, 552": ("mailbox-full", f"{OPEN}|{MAIL}|C RCPT TO:<bob@example.net>|!S 552 5.2.2 mailbox full"),
    "unknown user": ("unknown-recipient", f"{OPEN}|{MAIL}|C RCPT TO:<x@example.net>|!S 550 5.1.1 <x@example.net>: Recipient address rejected: User unknown in virtual mailbox table|{QUIT}"),
    "unknown user, exchange": ("unknown-recipient", f"{OPEN}|{MAIL}|C RCPT TO:<x@example.net>|!S 550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"),
    "unknown user, bare": ("unknown-recipient", f"{OPEN}|{MAIL}|C RCPT TO:<x@example.net>|!S 550 No such user here"),
    "dmarc": ("mail-unauthenticated", f"{OPEN}|{MAIL}|{RCPT}|{BODY}|!S 550-5.7.26 Unauthenticated email from example.org is not accepted due to domain's|S 550 5.7.26 DMARC policy."),
    "spf": ("mail-unauthenticated", f"{OPEN}|C MAIL FROM:<ann@example.org>|!S 550 5.7.23 The message was rejected because of Sender Policy Framework violation"),
    "dnsbl": ("ip-blocked", f"{OPEN}|{MAIL}|C RCPT TO:<bob@example.net>|!S 554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.7"),
    "s3150": ("ip-blocked", f"{OPEN}|C MAIL FROM:<ann@example.org>|!S 550 5.7.1 Unfortunately, messages from [192.0.2.7] weren't sent. part of their network is on our block list (S3150)."),
    "ptr": ("no-reverse-dns", f"{OPEN}|{MAIL}|{RCPT}|{BODY}|!S 550-5.7.25 [192.0.2.7] The IP address sending this message does not have a PTR record|S 550 5.7.25 setup"),
    "null mx": ("null-mx", f"{OPEN}|{MAIL}|C RCPT TO:<b@example.net>|!S 556 5.1.10 Recipient address has null MX"),
    "sender domain": ("sender-domain-not-found", f"{OPEN}|C MAIL FROM:<a@nowhere.invalid>|!S 450 4.1.8 <a@nowhere.invalid>: Sender address rejected: Domain not found|{QUIT}"),
    "smtputf8": ("smtputf8-needed", f"{OPEN}|C MAIL FROM:<ann@example.org>|!S 553 5.6.7 Must declare SMTPUTF8 to permit unicode address"),
    "bare LF": ("bare-line-feed", f"{OPEN}|{MAIL}|{RCPT}|{BODY}|!S 550 5.5.2 smtpd_forbid_bare_newline: bare <LF> received"),
    "554 greeting": ("refused-at-greeting", f"!S 554 5.7.1 mail.example.com ESMTP not accepting messages|{EHLO}|S 503 5.5.1 bad sequence|{QUIT}"),
    "521 greeting": ("refused-at-greeting", f"!S 521 5.3.2 mail.example.com does not accept mail|{QUIT}"),
    "555": ("bad-parameters", f"{OPEN}|C MAIL FROM:<a@example.org> FOO=BAR|!S 555 5.5.4 Unsupported option: FOO=BAR"),
    "555 brackets": ("bad-parameters", f"{OPEN}|C MAIL FROM:a@example.org|!S 555 5.5.2 Syntax error. x1 - gsmtp"),
    "loop": ("mail-loop", f"{OPEN}|{MAIL}|{RCPT}|{BODY}|!S 554 5.4.6 Too many hops"),
    "timeout": ("timed-out", f"{OPEN}|{MAIL}|!S 421 4.4.2 mail.example.com Error: timeout exceeded"),
    "closed after the dot": ("connection-lost", f"{OPEN}|{MAIL}|{RCPT}|{BODY[:-4]}|!C .|!EOF", "+eof"),
    "closed after MAIL": ("connection-lost", f"{OPEN}|!C MAIL FROM:<a@example.org>|!EOF", "+eof"),
    "spam": ("content-refused", f"{OPEN}|{MAIL}|{RCPT}|{BODY}|!S 554 5.7.1 Message rejected as spam by Content Filtering."),
    "storage": ("server-storage", f"{OPEN}|C MAIL FROM:<a@example.org>|!S 452 4.3.1 Insufficient system storage"),
    "quota": ("sending-quota", f"{LOGGED_IN}|{MAIL}|{RCPT}|{BODY}|!S 550 5.4.5 Daily user sending limit exceeded. x1 - gsmtp"),
    "local error": ("server-error", f"{OPEN}|{MAIL}|{RCPT}|{BODY}|!S 451 4.3.0 Error: queue file write error"),
    # nothing wrong
    "healthy": ("healthy", f"{LOGGED_IN}|{SENT}|{QUIT}"),
    "healthy, no TLS": ("healthy", f"{OPEN}|{SENT}|{QUIT}"),
    "healthy, LOGIN": ("healthy", f"{READY}|{LOGIN}|C {SECRET}|S 235 2.7.0 Authentication successful|{SENT}|{QUIT}"),
    "healthy, no 221": ("healthy", f"{OPEN}|{SENT}|C QUIT"),
    "healthy, two mails": ("healthy", f"{OPEN}|{SENT}|{SENT}|C RSET|S 250 2.0.0 Ok|{QUIT}"),
    "login only": ("healthy", f"{READY}|{LOGIN}|C {SECRET}|S 235 2.7.0 Authentication successful|{QUIT}"),
    "cancelled": ("healthy auth-cancelled", f"{READY}|C AUTH LOGIN|S 334 VXNlcm5hbWU6|C *|S 501 5.7.0 Authentication aborted|{QUIT}"),
    "cancelled, then sent": ("healthy", f"{READY}|C AUTH CRAM-MD5|S 334 PDEuMkBtYWlsPg==|C *|S 501 5.7.0 Authentication aborted|C AUTH PLAIN {PLAIN}|S 235 2.7.0 Ok|{SENT}|{QUIT}"),
    "second mechanism": ("healthy", f"{READY}|C AUTH LOGIN|S 504 5.5.4 Unrecognized authentication type|C AUTH PLAIN {PLAIN}|S 235 2.7.0 Ok|{SENT}|{QUIT}"),
    "HELO fallback": ("healthy", f"{GREET}|{EHLO}|S 502 5.5.1 Command not implemented|C HELO client.example.org|S 250 mail.example.com|{SENT}|{QUIT}"),
    "VRFY 252": ("healthy", f"{OPEN}|C VRFY bob|S 252 2.0.0 bob|{QUIT}"),
    "VRFY 502": ("healthy", f"{OPEN}|C VRFY bob|S 502 5.5.1 VRFY command is disabled|{SENT}|{QUIT}"),
    "probe": ("healthy", f"{OPEN}|C XCLIENT NAME=x|S 502 5.5.1 Error: command not implemented|{SENT}|{QUIT}"),
    "greylist, then sent": ("healthy", f"{OPEN}|{MAIL}|C RCPT TO:<bob@example.net>|S 451 4.7.1 Greylisting in action, please come back later|{QUIT}|{OPEN}|{SENT}|{QUIT}"),
    "pipelined": ("healthy", f"{OPEN}|C MAIL FROM:<a@example.org>|C RCPT TO:<b@example.net>|C DATA|S 250 2.1.0 Ok|S 250 2.1.5 Ok|S 354 End data|C Subject: hi|C |C text|C .|S 250 2.0.0 Ok|{QUIT}", "-telnet"),
    "BDAT": ("healthy", f"{GREET}|{EHLO}|S 250-x|S 250 CHUNKING|{MAIL}|{RCPT}|C BDAT 20 LAST|S 250 2.0.0 Ok: queued|{QUIT}"),
    # too little
    "only a greeting": ("too-little", f"{GREET}|{EHLO}"),
    "cut after EHLO": ("too-little", OPEN),
    "cut after RCPT": ("too-little", f"{OPEN}|{MAIL}|{RCPT}"),
}


def steps_of(text):
    steps, decisive = [], set()
    for part in text.split("|"):
        if part.startswith("!"):
            decisive.add(len(steps))
            part = part[1:]
        who, _, line = part.partition(" ")
        steps.append((who, line))
    return steps, decisive


def cases():
    for name, (ids, text, *flags) in TEXT.items():
        steps, decisive = steps_of(text)
        yield name, ids.split(), steps, decisive, " ".join(flags)
