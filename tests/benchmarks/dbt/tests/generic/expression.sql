{% test expression(model, holds) %}
SELECT * FROM {{ model }} WHERE NOT ({{ holds }})
{% endtest %}
