"""Tables that several marts share; nothing outside may rely on them."""
