{% test same_count(model, to) %}
SELECT 1 WHERE (SELECT count(*) FROM {{ model }}) <> (SELECT count(*) FROM {{ to }})
{% endtest %}
