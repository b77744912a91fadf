{% test in_range(model, column_name, min_value, max_value=none) %}
SELECT * FROM {{ model }}
WHERE {{ column_name }} < {{ min_value }}
{%- if max_value is not none %} OR {{ column_name }} > {{ max_value }}{% endif %}
{% endtest %}
