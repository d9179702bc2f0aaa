-- The visitors of hits.lua as other programs' scripts report them: liwan, umami or shynet, then what they call the site.
local browsers = 4096
local thread_number = 0

function setup(thread)
    thread:set("number", thread_number)
    thread_number = thread_number + 1
end

local bodies = {
    liwan = '{"name":"pageview","entity_id":"%s","url":"https://faro.example%s","referrer":"%s"}',
    umami = '{"type":"event","payload":{"website":"%s","hostname":"faro.example","screen":"1920x1080","language":"en-GB",'
        .. '"title":"A shelf with good books","url":"%s","referrer":"%s"}}',
    shynet = '{"idempotency":"%s-%d","referrer":"%s","location":"https://faro.example%s","loadTime":412}',
}

local ready = {}

function init(args)
    math.randomseed(os.time() * 100 + number)
    local shape, site = args[1], args[2]
    for i = 1, browsers do
        local path = string.format("/en/shelf-%d/book-%d", i % 20, (i * 7919) % 400)
        local referrer = i % 3 == 0 and "https://www.google.com/" or ""
        local body
        if shape == "shynet" then
            body = string.format(bodies.shynet, number, i, referrer, path)
        else
            body = string.format(bodies[shape], site, path, referrer)
        end
        local headers = {
            ["Content-Type"] = "application/json",
            ["Origin"] = "https://faro.example",
            ["Accept-Language"] = "en-GB,en;q=0.9",
            ["User-Agent"] = string.format(
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.%d.0 Safari/537.36",
                100 + i % 41, 4000 + i % 50),
            ["X-Forwarded-For"] = string.format("%d.%d.%d.%d", math.random(1, 223), math.random(0, 255),
                math.random(0, 255), math.random(1, 254)),
        }
        ready[i] = wrk.format("POST", nil, headers, body)
    end
end

function request()
    return ready[math.random(browsers)]
end
