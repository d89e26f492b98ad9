//! Valid frames and bodies of each door; a word after `$` stands for a name that each world has.

/// Packets of Socket.IO. Each line after the first is a binary frame.
pub const PACKETS: [&str; 70] = [
    r#"40"#,
    r#"40{"token":"$TOKEN"}"#,
    r#"40/admin,{"token":"x"}"#,
    r#"41"#,
    r#"3"#,
    r#"2probe"#,
    r#"420["create-user",{"user":{"external_id":"self$NUMBER","name":"Self","photo":""}}]"#,
    r#"421["create-user",{"user":{"id":"$SELF","name":"Self","photo":"data:,x","handle":"h$NUMBER"}}]"#,
    r#"422["create-chat",{"chat":{"name":"A","description":"b","private":false},"users":["$OTHER"]}]"#,
    r#"423["create-chat",{"chat":{"name":"A","private":true,"team_id":"$TEAM"},"users":[]}]"#,
    r#"424["open-direct",{"user":{"id":"$OTHER"}}]"#,
    r#"425["list-chats",{"user":{"id":"$SELF"},"limit":2}]"#,
    r#"426["list-chats",{"before":{"at":"2026-01-31T12:00:00Z","id":"$CHAT"}}]"#,
    r#"427["update-chat",{"chat":{"id":"$CHAT","name":"B","description":"","private":false}}]"#,
    r#"428["join-chat",{"chat":{"id":"$CHAT"}}]"#,
    r#"429["leave-chat",{"chat":{"id":"$CHAT"}}]"#,
    r#"42["mark-read",{"chat":{"id":"$CHAT"},"seq":1}]"#,
    r#"42["remove-member",{"chat":{"id":"$CHAT"},"user":{"id":"$OTHER"}}]"#,
    r#"4210["list-messages",{"chat":{"id":"$CHAT"},"query":{"from":"2026-01-31T12:00:00Z","limit":10}}]"#,
    r#"4211["list-messages",{"chat":{"id":"$CHAT"},"query":{"after_seq":0,"before_seq":9,"limit":2}}]"#,
    r#"4212["new-message",{"chat":{"id":"$CHAT"},"message":{"value":"hello","type":"text"}}]"#,
    r#"4213["new-message",{"chat":{"id":"$CHAT"},"user":{"id":"$SELF"},"message":{"value":"x","type":"img","client_id":"c1"}}]"#,
    r#"42["new-message",{"chat":{"id":"$CHAT"},"message":{"value":"\ud83d\ude00 \u00e9","type":"file"}}]"#,
    r#"4214["subscribe",{"channel":"room-$CHAT"}]"#,
    r#"4215["unsubscribe",{"channel":"room-$CHAT"}]"#,
    r#"42["subscribe",{"channel":"system"}]"#,
    r#"42["unsubscribe",{"channel":"system"}]"#,
    r#"4216["typing",{"chat":{"id":"$CHAT"},"on":true}]"#,
    r#"4217["signal",{"chat":{"id":"$CHAT"},"data":{"x":[1,"two",null]},"to":["$OTHER"]}]"#,
    r#"4216["invite",{"chat":{"id":"$CHAT"},"user":{"id":"$OTHER"}}]"#,
    r#"4217["list-invitations",{}]"#,
    r#"4218["accept-invitation",{"invitation":{"id":"$CHAT"}}]"#,
    r#"4219["decline-invitation",{"invitation":{"id":"$CHAT"}}]"#,
    r#"4220["create-team",{"team":{"name":"T"},"users":["$OTHER"]}]"#,
    r#"4221["list-teams",{}]"#,
    r#"4222["add-to-team",{"team":{"id":"$TEAM"},"user":{"id":"$OTHER"}}]"#,
    r#"4223["remove-from-team",{"team":{"id":"$TEAM"},"user":{"id":"$OTHER"}}]"#,
    r#"4230["list-users",{"users":[{"id":"$OTHER"},{"handle":"h$NUMBER"}]}]"#,
    r#"4231["list-users",{"text":"se","limit":2}]"#,
    r#"4232["update-user",{"user":{"name":"Self","photo":"","handle":"g$NUMBER","data":{"a":[1]}}}]"#,
    r#"4233["watch-users",{"users":[{"id":"$OTHER"}]}]"#,
    r#"4234["unwatch-users",{"users":[{"id":"$OTHER"}]}]"#,
    r#"4235["block-user",{"user":{"id":"$OTHER"}}]"#,
    r#"4236["unblock-user",{"user":{"id":"$OTHER"}}]"#,
    r#"4237["list-blocked",{"limit":2,"after":"$OTHER"}]"#,
    r#"4238["list-public-chats",{"text":"he","limit":2,"before":{"at":"2026-01-31T12:00:00Z","id":"$CHAT"}}]"#,
    r#"4239["list-members",{"chat":{"id":"$CHAT"},"limit":2,"after":"$OTHER"}]"#,
    r#"4240["count-unread",{}]"#,
    r#"4241["update-membership",{"chat":{"id":"$CHAT"},"muted":"2126-01-31T12:00:00Z","pinned":true,"archived":false}]"#,
    r#"4242["set-role",{"chat":{"id":"$CHAT"},"user":{"id":"$OTHER"},"role":"moderator"}]"#,
    r#"4243["mute-member",{"chat":{"id":"$CHAT"},"user":{"id":"$OTHER"},"until":"2126-01-31T12:00:00Z"}]"#,
    r#"4244["unmute-member",{"chat":{"id":"$CHAT"},"user":{"id":"$OTHER"}}]"#,
    r#"4245["ban-member",{"chat":{"id":"$CHAT"},"user":{"id":"$OTHER"},"until":"2126-01-31T12:00:00Z"}]"#,
    r#"4246["unban-member",{"chat":{"id":"$CHAT"},"user":{"id":"$OTHER"}}]"#,
    r#"4247["list-bans",{"chat":{"id":"$CHAT"},"limit":2}]"#,
    r#"4248["report-message",{"chat":{"id":"$CHAT"},"message":{"id":"$MESSAGE"},"reason":"rude"}]"#,
    r#"4249["search-messages",{"query":{"text":"\"hello you\" hel","chat_id":"$CHAT","user_id":"$SELF","from":"2026-01-31T12:00:00Z","limit":2}}]"#,
    r#"4250["edit-message",{"chat":{"id":"$CHAT"},"message":{"id":"$MESSAGE","value":"bye","mentions":["$OTHER"],"data":{"a":1}}}]"#,
    r#"4251["react",{"chat":{"id":"$CHAT"},"message":{"id":"$MESSAGE"},"reaction":"\ud83d\udc4d","on":true}]"#,
    r#"4252["pin-message",{"chat":{"id":"$CHAT"},"message":{"id":"$MESSAGE"},"on":true}]"#,
    r#"4253["list-changes",{"chat":{"id":"$CHAT"},"after":0,"limit":2}]"#,
    r#"4254["delete-message",{"chat":{"id":"$CHAT"},"message":{"id":"$MESSAGE"}}]"#,
    r#"4255["delete-chat",{"chat":{"id":"$OWN"}}]"#,
    r#"4256["delete-user",{"user":{"id":"nobody"},"erase":true}]"#,
    r#"4257["new-message",{"chat":{"id":"$CHAT"},"message":{"type":"text","value":"hello you","reply_to":{"id":"$MESSAGE"},"mentions":["$OTHER"],"data":{"a":1}}}]"#,
    r#"43[{"ok":true}]"#,
    r#"45113["new-message",{"chat":{"id":"$CHAT"},"message":{"_placeholder":true,"num":0}}]"#,
    r#"461-2[{"_placeholder":true,"num":0}]"#,
    r#"44{"message":"no"}"#,
    r#"1"#,
];

/// Frames of the channels.
pub const CHANNELS: [&str; 12] = [
    r##"{"type":4,"channel":"#c$NUMBER"}"##,
    r#"{"type":4,"channel":"lobby"}"#,
    r#"{"type":5,"channel":"c$NUMBER"}"#,
    r#"{"type":0,"dest":"c$NUMBER","message":"hello"}"#,
    r##"{"type":0,"dest":"#lobby","message":"\ud83d\ude00"}"##,
    r#"{"type":6}"#,
    r#"{"type":6,"channel":"c$NUMBER"}"#,
    r#"{"type":2,"user":"d$NUMBER"}"#,
    r#"{"type":2,"user":"$ANN","password":"short"}"#,
    r#"{"type":1,"user":"$BOB","password":"short"}"#,
    r#"{"type":3}"#,
    r#"{"type":4,"channel":"c.$NUMBER-x"}"#,
];

/// Frames of the WebSocket for direct messages.
pub const LIVE: [&str; 4] = [
    r#"{"author":"$ANN","recipient":"$BOB","message":"hello"}"#,
    r#"{"author":"$ANN","recipient":"$BOB","message":"x.png","message_type":1}"#,
    r#"{"author":"$ANN","recipient":"nobody","message":"hello","message_type":2}"#,
    r#"{"author":"$BOB","recipient":"$ANN","message":"hello"}"#,
];

pub const RPC: [&str; 14] = [
    r#"{"jsonrpc":"2.0","id":1,"method":"NewUser","params":["guy$NUMBER"]}"#,
    r#"{"jsonrpc":"2.0","id":"a","method":"Chatty.NewUser","params":{"userId":"gil$NUMBER"}}"#,
    r#"{"jsonrpc":"2.0","id":null,"method":"NewRoom","params":[{"UserId":"guy$NUMBER","RoomId":"0"}]}"#,
    r#"{"jsonrpc":"2.0","id":-1.5,"method":"EnterRoom","params":[{"UserId":"guy$NUMBER","RoomId":"0"},"$ROOM"]}"#,
    r#"{"jsonrpc":"2.0","id":2,"method":"LeaveRoom","params":{"user":{"UserId":"guy$NUMBER","RoomId":"$ROOM"}}}"#,
    r#"{"jsonrpc":"2.0","id":2,"method":"LeaveRoom","params":[{"UserId":"guy$NUMBER","RoomId":"0"}]}"#,
    r#"{"jsonrpc":"2.0","id":2,"method":"UsersCount","params":["$ROOM"]}"#,
    r#"{"jsonrpc":"2.0","id":2,"method":"UsersCount","params":["0"]}"#,
    r#"{"jsonrpc":"2.0","method":"SendMessage","params":["hello",{"UserId":"eve$NUMBER","RoomId":"$ROOM"}]}"#,
    r#"{"jsonrpc":"2.0","id":3,"method":"SendMessage","params":{"content":"aGk=","encoding":"base64","user":{"UserId":"eve$NUMBER","RoomId":"$ROOM"}}}"#,
    r#"{"jsonrpc":"2.0","id":3,"method":"PickUpHistory","params":[{"UserId":"eve$NUMBER","RoomId":"$ROOM"}]}"#,
    r#"{"jsonrpc":"2.0","id":3,"method":"DumpHistory","params":[{"UserId":"eve$NUMBER","RoomId":"$ROOM"},0,10]}"#,
    r#"[{"jsonrpc":"2.0","id":1,"method":"UsersCount","params":["0"]},{"jsonrpc":"2.0","method":"UsersCount"},1]"#,
    r#"[{"jsonrpc":"2.0","id":18446744073709551616,"method":"Nothing","params":null}]"#,
];

/// An HTTP request; mutations mostly change its body.
pub struct Request {
    pub method: &'static str,
    pub path: &'static str,
    pub headers: &'static str,
    pub body: &'static str,
}

const JSON: &str = "Content-Type: application/json\r\n";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n";

const fn post(path: &'static str, headers: &'static str, body: &'static str) -> Request {
    Request { method: "POST", path, headers, body }
}

const fn get(path: &'static str, body: &'static str) -> Request {
    Request { method: "GET", path, headers: "Authorization: Bearer $TOKEN\r\n", body }
}

/// Requests of the REST door. Those with a password are few, since they are slow by design.
pub const REST: [Request; 21] = [
    post(
        "/api/register",
        JSON,
        r#"{"first_name":"A","last_name":"B","username":"new$NUMBER","password":"short","email":"new$NUMBER@example.com","phone":"+49123"}"#,
    ),
    post(
        "/api/register",
        FORM,
        "first_name=A&last_name=B&username=new&password=%20short&email=a%40b.c&phone=%2b1",
    ),
    post("/api/auth_token", JSON, r#"{"username":"$ANN"}"#),
    post("/api/auth_token", FORM, "username=$ANN&passwor=x"),
    post("/api/auth_token/refresh", JSON, r#"{"refresh_token":"$REFRESH"}"#),
    post("/api/auth_token/refresh", FORM, "refresh_token=$REFRESH"),
    post("/api/auth_token/refresh", "Content-Type: text/plain\r\n", "refresh_token=x"),
    post("/api/auth_token/refresh", "", r#"{"refresh_token":null}"#),
    post("/api/inbox", JSON, "{}"),
    Request {
        method: "DELETE",
        path: "/api/auth_token",
        headers: "Authorization: Bearer $TOKEN\r\nContent-Type: application/json\r\n",
        body: "{}",
    },
    get("/api/inbox?page=", "1"),
    get("/api/thread/", "$BOB"),
    get("/api/thread/$BOB?user=", "$ANN"),
    get("/api/inbox?access_token=", "$TOKEN"),
    get("/chat/login/", "$ANN"),
    post("/api/accounts", JSON, r#"{"username":"new$NUMBER","password":"short"}"#),
    post(
        "/api/files",
        "Authorization: Bearer $TOKEN\r\nContent-Type: multipart/form-data; boundary=b\r\n",
        "--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\na.txt\r\n\
         --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\
         Content-Type: text/plain\r\n\r\nhello\r\n--b--\r\n",
    ),
    post(
        "/api/files?name=cat.png",
        "Authorization: Bearer $TOKEN\r\nContent-Type: image/png\r\n",
        "\u{89}PNG\r\n\u{1a}\n\0\0\0\rIHDR\0\0\0{\0\0\u{1}A",
    ),
    get("/api/files?name=", "cat.png"),
    get("/api/files/", "00000000-0000-4000-8000-000000000000?until=1&key=x"),
    get("/socket.io/?EIO=4&transport=polling&sid=", "x"),
];

/// Whole requests as they are sent on the wire; mutations mostly change their heads.
pub const HEADS: [&str; 10] = [
    "GET /api/inbox?page=1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $TOKEN\r\n\
     X-Forwarded-For: 203.0.113.7, [2001:db8::1]:443\r\nConnection: close\r\n\r\n",
    "GET /api/thread/$BOB?page=1&access_token=$TOKEN HTTP/1.1\r\nHost: [::1]:80\r\n\
     X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-For: 10.0.0.1\r\nConnection: close\r\n\r\n",
    "GET /socket.io/?EIO=4&transport=polling&token=$TOKEN&t=x HTTP/1.1\r\nHost: localhost\r\n\
     Origin: http://localhost:5173\r\nConnection: close\r\n\r\n",
    "GET /socket.io/?EIO=3&transport=websocket HTTP/1.1\r\nHost: localhost\r\n\
     Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    "GET /api/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
     Sec-WebSocket-Protocol: chinwag, chinwag.token.$TOKEN\r\n\r\n",
    "GET /chat/login/h$NUMBER?access_token=$TOKEN HTTP/1.1\r\nHost: localhost\r\n\
     Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    "OPTIONS /api/inbox HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:5173\r\n\
     Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: authorization, x\r\n\
     Connection: close\r\n\r\n",
    "GET $FILE HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-1,3-\r\nIf-None-Match: \"x\"\r\n\
     Connection: close\r\n\r\n",
    "POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
     Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\n[\r\n1\r\n]\r\n0\r\n\r\n",
    "POST /api/auth_token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\
     Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n\r\nusername=x",
];

/// The heads and claims of tokens.
pub const TOKENS: [&str; 4] = [
    r#"{"alg":"HS256","typ":"JWT","kid":"$KEY"}.{"sub":"$ANN_ID","iat":1700000000,"exp":4100000000}"#,
    r#"{"alg":"HS256","kid":"$KEY"}.{"sub":"$ANN_ID","exp":4100000000,"nbf":1,"aud":["x"],"iss":"y"}"#,
    r#"{"alg":"none","kid":"$KEY"}.{"sub":"$ANN_ID","exp":4100000000}"#,
    r#"{"alg":"RS256","kid":"x","jwk":{},"x5c":[""]}.{"sub":"x","exp":4100000000,"name":"X"}"#,
];
