-- What many browsers send: bodies of about 350 bytes, 4,096 visitors (or as many as the second argument says), 50 user agents for nine hits of ten and many for the
-- tenth, addresses from everywhere, an id of its own for each hit.
local browsers, agents_common, agents_rare = 4096, 50, 2000
local visitors = browsers
local pages = 400

local counter = 0
local thread_number = 0

function setup(thread)
    thread:set("number", thread_number)
    thread_number = thread_number + 1
end

local function agent(n)
    local systems = {
        "Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64",
        "Linux; Android 14; Pixel 8", "iPhone; CPU iPhone OS 18_1 like Mac OS X"
    }
    local version = 100 + n % 41
    return string.format(
        "Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.%d.%d Safari/537.36",
        systems[n % 5 + 1], version, 4000 + n, n % 200)
end

local ready = {}
local millis

-- The browsers' clocks: an id begins with the time at which it was made, so later hits have larger ids.
local function look_at_the_clock()
    millis = string.format("%012x", os.time() * 1000)
end

function init(args)
    math.randomseed(os.time() * 100 + number)
    local site = args[1] or "bench"
    visitors = tonumber(args[2]) or browsers
    look_at_the_clock()
    for i = 1, browsers do
        local user_agent = agent(i % 10 == 0 and agents_common + i % agents_rare or i % agents_common)
        local path = string.format("/en/shelf-%d/book-%d", i % 20, (i * 7919) % pages)
        local mark = i % 12 == 0 and "?utm_source=letter&utm_medium=email&utm_campaign=autumn" or ""
        local referrer = i % 3 == 0 and ',"referrer":"https://www.google.com/"' or ""
        local body = string.format(
            '","site":"%s","name":"page","url":"https://faro.example%s%s","title":"A shelf with %d good books"%s,'
                .. '"consent":"analytics","language":"en-GB","age_ms":12,"visitor":"', site, path, mark, i, referrer)
        local length = #body + #'{"id":"' + 36 + 36 + 2
        local head = string.format(
            "POST /v1/hit HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: %s\r\nAccept: */*\r\nAccept-Language: en-GB,en;q=0.9\r\n"
                .. "Accept-Encoding: gzip, deflate, br\r\nOrigin: https://faro.example\r\nReferer: https://faro.example/\r\n"
                .. "X-Forwarded-For: %d.%d.%d.%d\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Length: %d\r\n\r\n"
                .. '{"id":"', user_agent, math.random(1, 223), math.random(0, 255), math.random(0, 255),
            math.random(1, 254), length)
        ready[i] = { head, body }
    end
end

function request()
    counter = counter + 1
    if counter % 256 == 0 then look_at_the_clock() end
    local visitor = math.random(visitors)
    local one = ready[visitor % browsers + 1]
    -- UUIDv7: the time, then a number that no other hit of this run has
    return one[1] .. string.format("%s-%s-7%03x-%04x-%012x", millis:sub(1, 8), millis:sub(9, 12), number,
        0x8000 + math.random(0, 0x3fff), counter + math.random(0, 0xff) * 0x10000000000) .. one[2]
        .. string.format('01890a5d-ac96-774b-8000-%012x"}', visitor * 2654435761 % 0xffffffffffff)
end
