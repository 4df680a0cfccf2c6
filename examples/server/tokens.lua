-- Signs, and checks what was signed: each thread keeps the tokens that it got, from before the key changed too.
local threads, tokens, next_token, asked = {}, {}, 0, false

function setup(thread)
  table.insert(threads, thread)
end

function request()
  asked = not asked
  if asked or #tokens == 0 then
    return wrk.format("GET", "/sign/a-text")
  end
  next_token = next_token % #tokens + 1
  return wrk.format("GET", "/check/" .. tokens[next_token])
end

function response(status, headers, body)
  if status ~= 200 then
    refused = (refused or 0) + 1
  elseif body:find(".", 1, true) and #tokens < 5000 then
    tokens[#tokens + 1] = body
  elseif body:find(".", 1, true) and math.random(100) == 1 then
    tokens[math.random(#tokens)] = body
  end
end

function done(summary, latency, requests)
  local kept, failed = 0, 0
  for _, thread in ipairs(threads) do
    kept = kept + #(thread:get("tokens") or {})
    failed = failed + (thread:get("refused") or 0)
  end
  print("tokens kept: " .. kept .. ", not answered or refused: " .. failed)
end
